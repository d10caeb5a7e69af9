// The first page: one's uploads, and where to drop new ones.

import { base, call } from "./api.js";
import { takeFiles } from "./chosen.js";
import { ask, h, iconButton, part, show } from "./dom.js";
import { ago, bytes, count, moment } from "./format.js";
import { fillPager } from "./gallery.js";
import { newUpload } from "./new_upload.js";

const PER_PAGE = 20;
const STATES = { open: ["not run yet", ""], running: ["running", "busy"], done: ["done", "good"], failed: ["failed", "bad"] };
const LOOK_AGAIN_MS = 4000;

const list = part("uploads");
let offset = 0;
let timer = 0;

async function load(from = 0) {
  clearTimeout(timer);
  offset = from;
  const { items, total } = await call("/uploads", { query: { offset, limit: PER_PAGE } });
  list.replaceChildren(...items.map(item));
  list.removeAttribute("aria-busy");
  show(part("none"), !total);
  part("total").textContent = total ? count(total, "upload") : "";
  fillPager(part("pager"), offset, PER_PAGE, total, load);
  if (items.some((upload) => upload.state === "running")) timer = setTimeout(() => load(offset), LOOK_AGAIN_MS);
}

function item(upload) {
  const [words, tone] = STATES[upload.state] ?? [upload.state, ""];
  return h(
    "li",
    {},
    h("a", { class: "upload-link", href: `${base}/uploads/${upload.id}` }, upload.name),
    h("span", { class: "quiet number upload-facts" }, `${count(upload.file_count, "file")}, ${bytes(upload.size_bytes)}`),
    h("time", { class: "quiet upload-time", datetime: upload.created_at, title: moment(upload.created_at) }, ago(upload.created_at)),
    h("span", { class: `tag ${tone}` }, words),
    iconButton("close", `Delete ${upload.name}`, () => remove(upload)),
  );
}

async function remove(upload) {
  const sure = await ask(`Delete “${upload.name}”?`, `Its ${count(upload.file_count, "file")} and all results will be gone for good, and so will the links that were shared.`, "Delete", true);
  if (!sure) return;
  await call(`/uploads/${upload.id}`, { method: "DELETE" });
  await load(offset);
}

takeFiles(part("drop"), newUpload);
load().catch((error) => list.replaceChildren(h("li", { class: "note bad" }, error.message)));
