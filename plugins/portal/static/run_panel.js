// A run while it runs: its stages, and a message when it is done.

import { call } from "./api.js";
import { announce, h, part, pause, show } from "./dom.js";
import { duration } from "./format.js";

const STAGES = {
  wait_for_landing: "Waiting its turn",
  ingest: "Reading images",
  select_k: "Choosing colours",
  quantize: "Quantizing",
  compress: "Compressing",
  publish: "Publishing",
  small_run: "Pressing the images",
};
const STATES = { queued: "waiting to start", running: "running", success: "done", failed: "failed" };
const OVER = ["success", "failed"];

export class RunPanel {
  constructor(within, uploadId) {
    this.within = within;
    this.uploadId = uploadId;
    this.watched = null;
    this.said = "";
  }

  /** Show a run until it is over; the run as it ended, or null where another one is watched by then. */
  async watch(run) {
    this.watched = run.run_id;
    let failures = 0;
    for (let look = 0; ; look += 1) {
      if (this.watched !== run.run_id) return null;
      this.fill(run);
      // In a list, runs come without their stages.
      if (OVER.includes(run.state) && (run.stages.length || look)) return run;
      if (look) await pause(document.hidden ? 5000 : 1000 * (1 + Math.min(failures, 9)));
      try {
        run = await call(`/uploads/${this.uploadId}/runs/${encodeURIComponent(run.run_id)}`);
        failures = 0;
      } catch (error) {
        if (error.status === 404) return null;
        failures += 1; // the server may come back
      }
    }
  }

  fill(run) {
    const state = part("run-state", this.within);
    show(this.within);
    const tone = { success: "good", failed: "bad" }[run.state] ?? "busy";
    state.replaceChildren(h("span", { class: `tag ${tone}` }, STATES[run.state] ?? run.state));
    part("stages", this.within).replaceChildren(...run.stages.map((stage) => this.stage(stage)));
    part("run-links", this.within).replaceChildren(...(run.airflow_url ? [h("a", { href: run.airflow_url }, "See it in Airflow")] : []));
    const words = part("run-words", this.within);
    words.textContent = this.words(run);
    words.className = run.state === "failed" ? "note bad" : "quiet";
    const said = `The run is ${STATES[run.state] ?? run.state}. ${this.current(run)}`;
    if (said !== this.said) announce(said);
    this.said = said;
  }

  stage(stage) {
    const kind = { success: "done", running: "now", failed: "bad", upstream_failed: "skipped", skipped: "skipped", up_for_retry: "now" }[stage.state] ?? "later";
    const seconds = stage.started_at ? ((stage.ended_at ? new Date(stage.ended_at) : Date.now()) - new Date(stage.started_at)) / 1000 : null;
    const note = [seconds === null ? "" : duration(seconds), stage.tries > 1 ? `try ${stage.tries}` : ""].filter(Boolean).join(", ");
    return h("li", { class: kind, "aria-current": kind === "now" ? "step" : null }, h("span", { class: "stage-dot", "aria-hidden": "true" }), h("span", {}, STAGES[stage.name] ?? stage.name, h("span", { class: "seen-by-readers" }, `, ${stage.state ?? "not yet"}`), h("br"), h("small", { class: "number" }, note || " ")));
  }

  current(run) {
    const now = run.stages.find((stage) => stage.state === "running" || stage.state === "up_for_retry");
    return now ? `${STAGES[now.name] ?? now.name}.` : "";
  }

  words(run) {
    const started = run.started_at ? new Date(run.started_at) : null;
    if (run.state === "failed") return run.error ?? "The run has failed. Your files are as they were; you can run it again.";
    if (run.state === "success") return started && run.ended_at ? `Done in ${duration((new Date(run.ended_at) - started) / 1000)}.` : "Done.";
    if (run.state === "queued") return "It starts in a moment. You may close this page: the run goes on.";
    return "You may close this page: the run goes on, and its results will be here.";
  }
}
