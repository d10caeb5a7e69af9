// Results that somebody has shared.

import { part, show } from "./dom.js";
import { Gallery } from "./gallery.js";

const key = encodeURIComponent(document.querySelector("main").dataset.key);
const gallery = new Gallery(`/shared/${key}/results`);
part("results").append(gallery.element);
gallery.load(0, { rethrow: true }).catch((error) => {
  show(part("results"), false);
  part("gone").textContent = error.status === 404 ? "This link does not work (any more): it has expired or was revoked." : error.message;
  show(part("gone"));
});
