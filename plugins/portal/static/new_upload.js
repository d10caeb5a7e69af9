// From files that were dropped on the first page to the page of a new upload, without loading it anew: a browser gives
// chosen files to the page that they were chosen on only.

import { base, call } from "./api.js";
import { announce, h, part } from "./dom.js";

/** The folder that all of them are in, or the only file, or how many they are. */
function nameOf(chosen) {
  const tops = new Set(chosen.map(({ path }) => (path.includes("/") ? path.split("/")[0] : "")));
  if (tops.size === 1 && !tops.has("")) return [...tops][0];
  if (chosen.length === 1) return chosen[0].path;
  return `${chosen.length} images`;
}

export async function newUpload(chosen) {
  try {
    const upload = await call("/uploads", { method: "POST", json: { name: nameOf(chosen).slice(0, 200) } });
    const place = `${base}/uploads/${upload.id}`;
    const answer = await fetch(place, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    history.pushState(null, "", place);
    window.addEventListener("popstate", () => location.reload());
    document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
    const { begin } = await import("./upload.js");
    begin(chosen);
    window.scrollTo(0, 0);
    document.querySelector("main").focus({ preventScroll: true });
  } catch (error) {
    part("drop")?.append(h("p", { class: "note bad", role: "alert" }, error.message));
    announce(error.message);
  }
}
