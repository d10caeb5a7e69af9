// The pictures of any dataset's run, within Airflow's page of the run.

import { part, show } from "./dom.js";
import { Gallery } from "./gallery.js";

const { dag, run } = document.querySelector("main").dataset;
const gallery = new Gallery(`/runs/${encodeURIComponent(dag)}/${encodeURIComponent(run)}/results`);
part("results").append(gallery.element);
gallery.load(0, { rethrow: true }).catch((error) => {
  show(part("results"), false);
  part("gone").textContent = error.status === 404 ? "This run has published nothing (yet)." : error.message;
  show(part("gone"));
});
