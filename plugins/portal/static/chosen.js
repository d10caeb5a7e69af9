// Files that somebody chose or dropped, with their paths; folders are walked through.

/** [{path, file}] of an <input type=file>. */
export function ofInput(input) {
  return [...input.files].filter(visible).map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** [{path, file}] of a drop: everything in the folders, too. */
export async function ofDrop(transfer) {
  // All entries first: the list is gone after the first pause.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ path: file.name, file }));
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => entry.file(done, fail));
    if (visible(file)) found.push({ path: entry.fullPath.replace(/^\/+/, ""), file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A hundred at a time, until there are none.
    const entries = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!entries.length) return;
    for (const one of entries) await walk(one, found);
  }
}

// What systems leave in folders without anybody having put it there.
function visible(file) {
  return file.name !== ".DS_Store" && file.name !== "Thumbs.db" && file.name !== "desktop.ini";
}

/** Make a section take drops, and its two inputs choices: `take` gets [{path, file}]. */
export function takeFiles(section, take) {
  for (const input of section.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      const chosen = ofInput(input);
      input.value = ""; // so that the same folder can be chosen again
      if (chosen.length) take(chosen);
    });
  }
  let inside = 0;
  const mark = () => section.classList.toggle("over", inside > 0);
  section.addEventListener("dragenter", (event) => {
    event.preventDefault();
    inside += 1;
    mark();
  });
  section.addEventListener("dragleave", () => {
    inside -= 1;
    mark();
  });
  section.addEventListener("drop", async (event) => {
    event.preventDefault();
    inside = 0;
    mark();
    const chosen = await ofDrop(event.dataTransfer);
    if (chosen.length) take(chosen);
  });
}

// Beside the section a drop would open the file in place of the page.
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
