// From files that were dropped on the first page to the page of a new upload, without loading it anew: a browser gives
// chosen files to the page that they were chosen on only.

import { base } from "./api.js";
import { announce, h, part } from "./dom.js";

export async function newUpload(chosen) {
  try {
    const place = `${base}/new`;
    const answer = await fetch(place, { credentials: "same-origin" });
    if (!answer.ok) throw new Error("The page could not be loaded: is the connection lost?");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    history.pushState(null, "", place);
    window.addEventListener("popstate", () => location.reload());
    document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
    document.querySelector("nav [aria-current]")?.removeAttribute("aria-current");
    const { begin } = await import("./upload.js");
    begin(chosen);
    window.scrollTo(0, 0);
    document.querySelector("main").focus({ preventScroll: true });
  } catch (error) {
    part("drop")?.append(h("p", { class: "note bad", role: "alert" }, error.message));
    announce(error.message);
  }
}
