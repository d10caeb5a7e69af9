// Trends over a dataset's runs: bytes saved, quality, rejects, seconds of each stage.

import { call } from "./api.js";
import { h, part, show } from "./dom.js";

const { dataset } = document.querySelector("main").dataset;

call(`/datasets/${encodeURIComponent(dataset)}/trends`)
  .then((trends) => {
    part("trends").append(h("pre", {}, JSON.stringify(trends, null, 1)));
    part("trends").removeAttribute("aria-busy");
  })
  .catch((error) => {
    part("gone").textContent = error.status === 404 ? "This dataset has published nothing yet." : error.message;
    show(part("gone"));
  });
