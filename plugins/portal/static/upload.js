// The page of an upload: files, preview, settings, run, results.

import { address, base, call, Refused } from "./api.js";
import { takeFiles } from "./chosen.js";
import { announce, ask, h, part, show, oncePerFrame } from "./dom.js";
import { FileList, sum } from "./file_list.js";
import { bytes, count, duration, moment } from "./format.js";
import { Gallery } from "./gallery.js";
import { ParametersForm } from "./parameters.js";
import { PreviewPanel } from "./preview.js";
import { RunPanel } from "./run_panel.js";
import { ShareDialog } from "./share.js";
import { Entry, Transfer } from "./transfer.js";

const FILES_AT_ONCE = 1000;
// What a preview takes, as previews.py says.
const MAX_PREVIEW_BYTES = 32_000_000;
const IMAGE_NAME = /\.(png|jpe?g|webp|avif|gif|tiff?|bmp)$/i;

/** The folder that all of them are in, or the only file, or how many they are. */
function nameOf(entries) {
  const tops = new Set(entries.map(({ path }) => (path.includes("/") ? path.split("/")[0] : "")));
  if (tops.size === 1 && !tops.has("")) return [...tops][0];
  return entries.length === 1 ? entries[0].path : `${entries.length} images`;
}

class UploadPage {
  constructor(main) {
    this.main = main;
    this.entries = new Map();
    this.part = (name) => part(name, main);
    this.upload = null;
    this.run = null;
    this.hasResults = false;
    this.starting = false;
    this.tell = oncePerFrame(() => this.fillCounts());
    this.transfer = new Transfer(() => {
      this.list.draw();
      this.tell();
    });
    this.list = new FileList({
      open: (entry) => this.preview(entry),
      cancel: (entry) => this.remove(entry),
      retry: (entry) => this.attempt(() => this.send([entry])),
    });
    this.panel = new PreviewPanel(this.part("preview"), (parameters) => this.use(parameters));
    this.part("files").append(this.list.element);
    this.buildDock();
    takeFiles(this.part("drop"), (chosen) => this.add(chosen));
    this.part("delete").addEventListener("click", () => this.removeAll());
    this.part("share").addEventListener("click", () => (this.share ??= new ShareDialog(this.upload.id)).open());
    window.addEventListener("beforeunload", (event) => {
      if (this.transfer.running) event.preventDefault();
    });
  }

  /** From now on this page is that upload's. */
  adopt(upload) {
    this.upload = upload;
    this.transfer.uploadId = upload.id;
    this.runPanel = new RunPanel(this.part("run"), upload.id);
    this.gallery = new Gallery(`/uploads/${upload.id}/results`);
    this.part("results").append(this.gallery.element);
    document.title = `${upload.name} · Chromapress`;
    this.part("name").textContent = upload.name;
    show(this.part("actions"));
  }

  buildDock() {
    this.words = h("strong", { class: "number" });
    this.small = h("span", { class: "quiet number" });
    this.bar = h("progress", { "aria-label": "Progress of the whole upload", max: 1 });
    const button = (words, kind, click) => h("button", { type: "button", class: `button ${kind}`, on: { click } }, words);
    this.buttons = {
      pause: button("Pause", "", () => this.transfer.pause()),
      only: button("Upload only", "", () => this.attempt(() => this.send(this.unsent()))),
      both: button("Upload and run", "primary", () => this.attempt(() => this.uploadAndRun())),
      run: button("Run", "primary", () => this.start()),
    };
    this.part("dock").append(h("div", { class: "dock-inner" }, h("div", { class: "dock-words" }, this.words, this.small, this.bar), ...Object.values(this.buttons)));
  }

  async load(chosen) {
    const id = this.main.dataset.upload;
    if (id) {
      try {
        this.adopt(await call(`/uploads/${id}`));
      } catch (error) {
        this.part("gone").textContent = error.status === 404 ? "There is no such upload: it may have been deleted." : error.message;
        show(this.part("gone"));
        this.part("facts").textContent = "";
        return;
      }
    }
    show(this.part("whole"));
    show(this.part("dock"));
    this.add(chosen);
    const parameters = call("/parameters").then((schema) => this.buildSettings(schema));
    if (!id) return void (await parameters);
    await this.loadFiles();
    this.fillCounts();
    if (!this.panel.source) this.previewFirst();
    await parameters;
    const { items } = await call(`/uploads/${id}/runs`);
    this.hasResults = items.some((run) => run.state === "success");
    if (items.length) await this.follow(items[0]);
  }

  async loadFiles() {
    for (let offset = 0; ; offset += FILES_AT_ONCE) {
      const { items, total } = await call(`/uploads/${this.upload.id}/files`, { query: { offset, limit: FILES_AT_ONCE } });
      for (const told of items) {
        const fresh = new Entry(told.asked_path, told.size_bytes);
        const entry = this.entries.get(fresh.key) ?? fresh;
        if (!this.transfer.running) entry.take(told);
        this.entries.set(entry.key, entry);
      }
      if (!items.length || offset + items.length >= total) break;
    }
    this.list.set(this.all());
  }

  /** Files that somebody chose. Those that the server has already are not sent again. */
  add(chosen) {
    chosen.sort((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }));
    for (const { path, file } of chosen) {
      const fresh = new Entry(path, file.size, file);
      const entry = this.entries.get(fresh.key);
      if (!entry) this.entries.set(fresh.key, fresh);
      else {
        entry.file = file;
        if (!entry.isOver && entry.state !== "sending") entry.state = "ready";
      }
    }
    this.list.set(this.all());
    if (!this.upload && chosen.length) this.part("name").textContent = nameOf(this.all());
    this.fillCounts();
    if (chosen.length && !this.panel.source) this.previewFirst();
  }

  all() {
    return [...this.entries.values()];
  }

  unsent() {
    return this.all().filter((entry) => entry.file && ["ready", "failed"].includes(entry.state));
  }

  fillCounts() {
    const all = this.all();
    const by = (state) => all.filter((entry) => entry.state === state);
    const [received, refused, failed, unsent] = [by("received"), by("refused"), by("failed"), this.unsent()];
    const lost = by("waiting").filter((entry) => !entry.file);
    const duplicates = received.filter((entry) => entry.told?.duplicate_of).length;
    const notes = [
      ...(duplicates ? [count(duplicates, "duplicate")] : []),
      ...(refused.length ? [`${refused.length} refused`] : []),
      ...(failed.length ? [`${failed.length} failed`] : []),
      ...(lost.length ? [`${lost.length} incomplete: choose the folder again to go on`] : []),
    ];
    this.part("files-count").textContent = all.length ? count(all.length, "file") : "";
    this.part("facts").textContent = [
      all.length ? sum(all) : "No files yet",
      this.upload ? `created ${moment(this.upload.created_at)}` : "nothing is uploaded yet",
    ].join(" · ");
    this.part("drop").classList.toggle("compact", all.length > 0);
    this.fillDock(all, received, unsent, notes);
    this.main.dataset.state = this.transfer.running ? "sending" : "still";
  }

  fillDock(all, received, unsent, notes) {
    const { pause, only, both, run } = this.buttons;
    const running = this.transfer.running;
    const busy = this.isRunning;
    show(this.bar, running);
    show(pause, running);
    for (const button of [only, both]) show(button, !running && unsent.length > 0);
    show(run, !running && !unsent.length);
    run.disabled = !received.length || busy || this.starting;
    both.disabled = busy || this.starting;
    run.textContent = this.run && !busy ? "Run again" : "Run";
    run.classList.toggle("primary", !this.hasResults);
    if (running) {
      const total = all.reduce((bytesOfAll, entry) => bytesOfAll + entry.size, 0);
      const there = all.reduce((bytesOfAll, entry) => bytesOfAll + (entry.isOver ? entry.size : entry.received), 0);
      const over = all.filter((entry) => entry.isOver).length;
      const seconds = (performance.now() - this.transfer.startedAt) / 1000;
      const rate = this.transfer.sentBytes / Math.max(seconds, 0.1);
      this.bar.value = total ? there / total : 0;
      this.words.textContent = `Uploading ${over} of ${count(all.length, "file")}`;
      this.small.textContent = `${bytes(there)} of ${bytes(total)}${rate > 0 && seconds > 1 ? ` · ${bytes(Math.round(rate))}/s · ${duration((total - there) / rate)} left` : ""}`;
    } else if (unsent.length) {
      const have = received.length ? `, ${received.length} already there` : "";
      this.words.textContent = `${sum(unsent)} ready${have}`;
      this.small.textContent = notes.join(" · ") || "Nothing has been uploaded yet: look first, if you like.";
      if (received.length && !notes.length) this.small.textContent = "What is there is not sent again.";
    } else if (received.length) {
      this.words.textContent = busy ? "Running" : `${sum(received)} uploaded`;
      this.small.textContent = notes.join(" · ") || (busy ? "You may close this page." : this.hasResults ? "The results are above." : "Ready to run.");
    } else {
      this.words.textContent = "Choose images to begin";
      this.small.textContent = notes.join(" · ");
    }
  }

  get isRunning() {
    return Boolean(this.run) && !["success", "failed"].includes(this.run.state);
  }

  async send(entries) {
    if (!entries.length) return;
    if (!this.upload) {
      this.adopt(await call("/uploads", { method: "POST", json: { name: nameOf(this.all()).slice(0, 200) } }));
      this.main.dataset.upload = this.upload.id;
      history.replaceState(null, "", `${base}/uploads/${this.upload.id}`);
    }
    const sent = this.transfer.send(entries);
    this.fillCounts();
    await sent;
    this.fillCounts();
    if (this.transfer.paused) return;
    const failed = this.all().filter((entry) => entry.state === "failed").length;
    announce(failed ? `${count(failed, "file")} could not be uploaded.` : "All files are uploaded.");
  }

  async attempt(work) {
    try {
      await work();
    } catch (error) {
      this.fillCounts();
      this.tellWrong(error);
    }
  }

  async uploadAndRun() {
    await this.send(this.unsent());
    const left = this.all().some((entry) => entry.state === "failed" || (entry.file && !entry.isOver));
    if (!left && !this.transfer.paused) await this.start();
  }

  async remove(entry) {
    try {
      await this.transfer.cancel(entry);
      this.entries.delete(entry.key);
    } catch (error) {
      Object.assign(entry, { state: "failed", reason: error.message });
    }
    this.list.set(this.all());
    this.fillCounts();
    this.list.search.focus();
  }

  async removeAll() {
    const sure = await ask(`Delete “${this.upload.name}”?`, "Its files and all results will be gone for good, and so will the links that were shared.", "Delete", true);
    if (!sure) return;
    this.transfer.pause();
    try {
      await call(`/uploads/${this.upload.id}`, { method: "DELETE" });
      location.href = `${base}/`;
    } catch (error) {
      this.tellWrong(error);
    }
  }

  previewFirst() {
    const images = this.all().filter((entry) => IMAGE_NAME.test(entry.path) && entry.size <= MAX_PREVIEW_BYTES && (entry.file || entry.state === "received"));
    if (images.length) this.preview(images[0]);
  }

  preview(entry) {
    this.list.open(entry);
    this.panel.open(entry.told?.path ?? entry.path, async () => {
      if (entry.file) return entry.file;
      if (entry.state !== "received") throw new Refused(404, { detail: "This file is not here: choose it again to preview it." });
      const answer = await fetch(address(`/uploads/${this.upload.id}/files/${entry.id}/content`));
      if (!answer.ok) throw new Refused(answer.status, null);
      const content = await answer.blob();
      return new Blob([content], { type: entry.told.content_type ?? content.type });
    });
  }

  buildSettings(schema) {
    this.form = new ParametersForm(schema, (parameters) => this.panel.configure(parameters));
    this.part("settings").append(this.form.element);
  }

  use(parameters) {
    this.form?.use(parameters);
    announce("The setting is taken over.");
  }

  async start() {
    if (!this.form?.valid()) {
      this.form?.element.querySelector("[aria-invalid=true]")?.focus();
      return;
    }
    this.starting = true;
    this.fillCounts();
    try {
      const run = await call(`/uploads/${this.upload.id}/runs`, { method: "POST", json: { parameters: this.form.values() } });
      this.starting = false;
      const followed = this.follow(run);
      this.part("run").scrollIntoView({ block: "center" });
      await followed;
    } catch (error) {
      this.tellWrong(error);
    } finally {
      this.starting = false;
      this.fillCounts();
    }
  }

  tellWrong(error) {
    this.small.textContent = error.message;
    announce(error.message);
  }

  async follow(run) {
    this.run = run;
    this.fillCounts();
    const wasOver = !this.isRunning;
    if (this.isRunning && this.hasResults) this.showResults().catch(() => {}); // those of the run before
    const ended = await this.runPanel.watch(run);
    if (!ended) return;
    this.run = ended;
    this.fillCounts();
    if (ended.state !== "success") return;
    await this.showResults();
    if (!wasOver) {
      document.title = `✓ ${this.upload.name} · Chromapress`;
      announce("The run is done. The results are on this page.");
      this.part("results").scrollIntoView({ block: "start" });
    }
  }

  async showResults() {
    try {
      await this.gallery.load(0, { rethrow: true });
      this.hasResults = true;
      show(this.part("results"));
      show(this.part("share"));
      this.fillCounts();
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
}

/** Fill the page that is there, beginning with files that were chosen already. */
export function begin(chosen = []) {
  const page = new UploadPage(document.querySelector("main"));
  page.load(chosen).catch((error) => page.tellWrong(error));
}

// The page itself was asked for; else new_upload.js begins.
if (document.querySelector("script[src$='/upload.js']")) begin();
