// The files of an upload: a list of which only what is seen is in the page, so that a hundred thousand are no more work
// than ten.

import { h, iconButton, oncePerFrame, show } from "./dom.js";
import { bytes, count } from "./format.js";

const ROW = 56; // pixels; portal.css says the same
const BEYOND = 6;

const WORDS = {
  ready: (entry) => (entry.received ? `${bytes(entry.received)} of ${bytes(entry.size)} there` : bytes(entry.size)),
  waiting: (entry) => (entry.file ? "waiting" : `incomplete: ${bytes(entry.received)} of ${bytes(entry.size)}`),
  sending: (entry) => `${bytes(entry.received)} of ${bytes(entry.size)}`,
  received: (entry) => `${bytes(entry.size)}${entry.told?.duplicate_of ? ` · the same as ${entry.told.duplicate_of}` : ""}`,
  refused: (entry) => entry.reason ?? "refused",
  failed: (entry) => entry.reason ?? "failed",
  cancelled: () => "cancelled",
};
const TONES = { received: "good", refused: "bad", failed: "bad" };

export class FileList {
  /** actions: {open, cancel, retry}, each called with an entry. */
  constructor(actions) {
    this.actions = actions;
    this.entries = [];
    this.shown = [];
    this.rows = new Map();
    this.opened = null;
    this.search = h("input", { type: "search", placeholder: "Find a file", "aria-label": "Find a file", on: { input: () => this.filter() } });
    this.list = h("ul", { class: "files-list", "aria-label": "Files" });
    this.window = h("div", { class: "files-window", tabindex: "-1" }, this.list);
    this.nothing = h("p", { class: "quiet" }, "No file is called so.");
    this.element = h("div", { class: "stack tight" }, this.search, this.window, this.nothing);
    this.draw = oncePerFrame(() => this.drawNow());
    this.window.addEventListener("scroll", this.draw);
    this.list.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(this.draw).observe(this.window);
  }

  set(entries) {
    this.entries = entries;
    this.filter();
  }

  filter() {
    const wanted = this.search.value.trim().toLowerCase();
    this.shown = wanted ? this.entries.filter((entry) => entry.path.toLowerCase().includes(wanted)) : this.entries;
    show(this.search, this.entries.length > 8);
    show(this.nothing, !this.shown.length && this.entries.length > 0);
    show(this.window, this.shown.length > 0);
    this.draw();
  }

  open(entry) {
    this.opened = entry;
    this.draw();
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest("li");
    if (!step || !row) return;
    event.preventDefault();
    const place = Number(row.dataset.place) + step;
    if (place < 0 || place >= this.shown.length) return;
    const top = place * ROW;
    const { scrollTop, clientHeight } = this.window;
    if (top < scrollTop || top + ROW > scrollTop + clientHeight) this.window.scrollTop = step > 0 ? top + ROW - clientHeight : top;
    this.drawNow();
    this.rows.get(this.shown[place])?.open.focus({ preventScroll: true });
  }

  drawNow() {
    const first = Math.max(0, Math.floor(this.window.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.shown.length, Math.ceil((this.window.scrollTop + (this.window.clientHeight || 400)) / ROW) + BEYOND);
    this.list.style.height = `${this.shown.length * ROW}px`;
    const wanted = new Set(this.shown.slice(first, last));
    for (const [entry, row] of this.rows) {
      // What has the focus keeps it, also where it was scrolled away.
      if (!wanted.has(entry) && !row.element.contains(document.activeElement)) {
        row.element.remove();
        this.rows.delete(entry);
      }
    }
    for (let place = first; place < last; place += 1) {
      const entry = this.shown[place];
      let row = this.rows.get(entry);
      if (!row) {
        row = this.row(entry);
        this.rows.set(entry, row);
      }
      if (row.element.dataset.place !== `${place}` || !row.element.isConnected) {
        row.element.dataset.place = place;
        row.element.style.top = `${place * ROW}px`;
        row.element.setAttribute("aria-posinset", place + 1);
        const after = [...this.list.children].find((one) => Number(one.dataset.place) > place);
        if (!row.element.isConnected || row.element.nextSibling !== (after ?? null)) this.list.insertBefore(row.element, after ?? null);
      }
      row.element.setAttribute("aria-setsize", this.shown.length);
      this.update(entry, row);
    }
  }

  row(entry) {
    const name = h("span", { class: "files-name" });
    const words = h("span", { class: "files-words quiet number" });
    const bar = h("progress", { "aria-label": `Progress of ${entry.path}`, max: Math.max(entry.size, 1) });
    const open = h("button", { type: "button", class: "files-open", on: { click: () => this.actions.open(entry) } }, name, words);
    const cancel = iconButton("close", `Remove ${entry.path}`, () => this.actions.cancel(entry));
    const retry = iconButton("retry", `Try ${entry.path} again`, () => this.actions.retry(entry));
    return { element: h("li", {}, open, retry, cancel, bar), name, words, bar, open, cancel, retry };
  }

  update(entry, row) {
    const path = entry.told?.path ?? entry.path;
    const slash = path.lastIndexOf("/") + 1;
    const key = [entry.state, entry.received, entry.reason, path, entry === this.opened, entry.told?.duplicate_of].join("|");
    if (row.key === key) return;
    row.key = key;
    row.name.replaceChildren(...(slash ? [h("span", { class: "quiet" }, path.slice(0, slash))] : []), h("span", {}, path.slice(slash)));
    row.open.title = path;
    const renamed = entry.told && entry.told.asked_path !== entry.told.path ? ` · was ${entry.told.asked_path}` : "";
    row.words.textContent = WORDS[entry.state](entry) + renamed;
    row.open.setAttribute("aria-label", `${path}, ${row.words.textContent}`);
    row.words.className = `files-words number ${TONES[entry.state] ?? "quiet"}`;
    row.open.setAttribute("aria-current", entry === this.opened);
    row.element.dataset.state = entry.state;
    row.bar.value = entry.received;
    show(row.bar, entry.state === "sending");
    show(row.retry, entry.state === "failed" && entry.file !== null);
  }
}

/** Of entries, how many and how large, as "12 files, 3.4 MB". */
export function sum(entries) {
  return `${count(entries.length, "file")}, ${bytes(entries.reduce((total, entry) => total + entry.size, 0))}`;
}
