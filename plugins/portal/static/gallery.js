// What a run made: the sum, every image with what became of it, comparison, and downloads.

import { address, call } from "./api.js";
import { Compare } from "./compare.js";
import { afterPause, announce, h, icon, iconButton, show } from "./dom.js";
import { bytes, count, decibels, number, outcome, OUTCOMES, outcomeTone, saving } from "./format.js";

const PER_PAGE = 48;
const SORTS = { "path asc": "Name", "saving desc": "Largest saving", "saving asc": "Smallest saving", "psnr asc": "Lowest quality", "psnr desc": "Highest quality", "size desc": "Largest file", "size asc": "Smallest file", "k asc": "Fewest colours", "k desc": "Most colours" };

export class Gallery {
  /** path: of the results in the API, such as /uploads/42/results. */
  constructor(path) {
    this.path = path;
    this.offset = 0;
    this.turn = 0;
    this.selected = new Set();
    this.outcomes = null;
    this.build();
  }

  build() {
    const search = afterPause(250, () => this.load(0));
    this.search = h("input", { type: "search", placeholder: "Find by name", "aria-label": "Find images by name", on: { input: search } });
    this.sort = h("select", { "aria-label": "Sort", on: { change: () => this.load(0) } }, ...Object.entries(SORTS).map(([value, name]) => h("option", { value }, name)));
    this.outcome = h("select", { "aria-label": "Show only", on: { change: () => this.load(0) } }, h("option", { value: "" }, "All outcomes"));
    this.summary = h("dl", { class: "tiles" });
    this.some = h("button", { type: "button", class: "button small", on: { click: () => this.downloadSelected() } });
    this.none = h("button", { type: "button", class: "button plain small", on: { click: () => this.unselect() } }, "Clear");
    this.all = h("a", { class: "button small", href: address(`${this.path}/zip`), download: true }, icon("download"), "Download all");
    this.grid = h("ul", { class: "gallery", "aria-label": "Images" });
    this.nothing = h("p", { class: "quiet" }, "No image is like that.");
    this.wrong = h("p", { class: "note bad", role: "alert" });
    this.pager = h("nav", { class: "pager", "aria-label": "Pages of images" });
    this.element = h(
      "div",
      { class: "stack" },
      this.summary,
      h("div", { class: "row tools" }, this.search, this.outcome, this.sort, h("span", { class: "push row" }, this.none, this.some, this.all)),
      this.wrong,
      this.grid,
      this.nothing,
      this.pager,
    );
    for (const one of [this.wrong, this.nothing]) show(one, false);
    this.tellSelection();
  }

  query(offset, limit) {
    const [sort, order] = this.sort.value.split(" ");
    return { offset, limit, sort, order, outcome: this.outcome.value, search: this.search.value.trim() };
  }

  /** Show a page of images; rejects where there are no results (Refused). */
  async load(offset = 0, { rethrow = false } = {}) {
    const turn = ++this.turn;
    this.grid.setAttribute("aria-busy", "true");
    try {
      const found = await call(this.path, { query: this.query(offset, PER_PAGE) });
      if (turn !== this.turn) return;
      this.offset = offset;
      this.found = found;
      show(this.wrong, false);
      this.fill();
    } catch (error) {
      if (rethrow) throw error;
      if (turn !== this.turn) return;
      this.wrong.textContent = error.message;
      show(this.wrong);
    } finally {
      if (turn === this.turn) this.grid.removeAttribute("aria-busy");
    }
  }

  fill() {
    const { items, total, summary } = this.found;
    this.fillSummary(summary);
    this.grid.replaceChildren(...items.map((image, place) => this.card(image, place)));
    show(this.nothing, !items.length);
    fillPager(this.pager, this.offset, PER_PAGE, total, async (offset) => {
      await this.load(offset);
      this.element.scrollIntoView({ block: "start" });
      this.grid.querySelector("button")?.focus({ preventScroll: true });
    });
    announce(`${count(total, "image")} shown, page ${Math.floor(this.offset / PER_PAGE) + 1}`);
  }

  fillSummary(summary) {
    const made = (summary.outcomes.published ?? 0) + (summary.outcomes.published_lossless ?? 0);
    const kept = Object.entries(summary.outcomes).reduce((sum, [name, some]) => sum + (name.startsWith("kept") ? some : 0), 0);
    const rejected = summary.outcomes.rejected ?? 0;
    const tile = (name, value, note, tone) => h("div", {}, h("dt", {}, name), h("dd", { class: tone }, value, h("small", {}, note)));
    this.summary.replaceChildren(
      tile("Saved", `${summary.saved_percent.toFixed(1)} %`, `${bytes(summary.source_bytes)} to ${bytes(summary.published_bytes)}`, summary.saved_percent > 0 ? "good" : null),
      tile("Images", number(summary.images), "every one accounted for"),
      tile("Smaller", number(made), "new files"),
      tile("Kept", number(kept), "were best as they were"),
      ...(rejected ? [tile("Rejected", number(rejected), "not readable as images", "warn")] : []),
    );
    const known = Object.keys(summary.outcomes);
    if (this.outcomes !== known.join()) {
      this.outcomes = known.join();
      const chosen = this.outcome.value;
      const names = Object.keys(OUTCOMES).filter((name) => known.includes(name));
      this.outcome.replaceChildren(h("option", { value: "" }, "All outcomes"), ...names.map((value) => h("option", { value }, `${outcome(value)} (${number(summary.outcomes[value])})`)));
      this.outcome.value = names.includes(chosen) ? chosen : "";
    }
  }

  card(image, place) {
    const name = image.path.slice(image.path.lastIndexOf("/") + 1);
    const hasPicture = image.outcome !== "rejected";
    const check = h("input", { type: "checkbox", "aria-label": `Select ${image.path}`, disabled: !hasPicture, on: { change: () => this.select(image.path, check.checked) } });
    check.checked = this.selected.has(image.path);
    const picture = hasPicture
      ? h("img", { src: address(`${this.path}/image`, { path: image.path, which: "thumbnail" }), alt: "", loading: "lazy", decoding: "async" })
      : h("span", { class: "no-picture" }, "no picture");
    return h(
      "li",
      { class: check.checked ? "chosen" : null },
      h("button", { type: "button", class: "gallery-open", "aria-label": `Compare ${image.path}`, disabled: !hasPicture, on: { click: () => this.compare(place) } }, picture),
      h("div", { class: "gallery-words" },
        h("label", { class: "gallery-name", title: image.path }, check, h("span", {}, name)),
        h("span", { class: "row tight" }, h("span", { class: `tag ${outcomeTone(image.outcome)}` }, outcome(image.outcome)), image.saving_percent > 0.05 ? h("span", { class: "number" }, `−${image.saving_percent.toFixed(0)} %`) : null),
        h("small", { class: "number" }, hasPicture ? this.facts(image) : (image.reason ?? "")),
      ),
    );
  }

  facts(image) {
    const sizes = image.published_bytes === null || image.published_bytes === image.source_bytes ? bytes(image.source_bytes) : `${bytes(image.source_bytes)} → ${bytes(image.published_bytes)}`;
    const quality = image.outcome === "published" && image.psnr_db !== null ? ` · ${decibels(image.psnr_db)}` : "";
    return `${sizes}${quality}`;
  }

  select(path, on) {
    if (on) this.selected.add(path);
    else this.selected.delete(path);
    this.grid.querySelectorAll("li").forEach((item, place) => item.classList.toggle("chosen", this.selected.has(this.found.items[place].path)));
    this.tellSelection();
  }

  unselect() {
    this.selected.clear();
    for (const check of this.grid.querySelectorAll("input")) check.checked = false;
    for (const item of this.grid.children) item.classList.remove("chosen");
    this.tellSelection();
  }

  tellSelection() {
    const some = this.selected.size;
    this.some.textContent = `Download ${count(some, "image")}`;
    show(this.some, some > 0);
    show(this.none, some > 0);
  }

  /** A form rather than a link: a thousand names are too long for an address. */
  downloadSelected() {
    const form = h("form", { method: "post", action: address(`${this.path}/zip`), hidden: true }, ...[...this.selected].map((path) => h("input", { type: "hidden", name: "path", value: path })));
    document.body.append(form);
    form.submit();
    form.remove();
  }

  compare(place) {
    this.dialog ??= new ComparisonDialog(this);
    this.dialog.open(place);
  }
}

class ComparisonDialog {
  constructor(gallery) {
    this.gallery = gallery;
    this.compare = new Compare(["Before", "After"]);
    this.title = h("h2", { class: "path", id: "comparison-title" });
    this.words = h("p", { class: "quiet" });
    this.tiles = h("dl", { class: "tiles" });
    this.download = h("a", { class: "button small", download: true }, icon("download"), "Download");
    this.back = iconButton("left", "Previous image", () => this.step(-1));
    this.next = iconButton("right", "Next image", () => this.step(1));
    this.element = h(
      "dialog",
      { class: "dialog wide", "aria-labelledby": "comparison-title" },
      h("div", { class: "row head" }, this.title, h("span", { class: "push row tight" }, this.back, this.next, iconButton("close", "Close", () => this.element.close()))),
      this.compare.element,
      this.tiles,
      h("div", { class: "row" }, this.words, h("span", { class: "push" }, this.download)),
    );
    this.element.addEventListener("click", (event) => event.target === this.element && this.element.close());
    this.element.addEventListener("keydown", (event) => {
      if (event.target === this.compare.handle) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.step(step);
    });
    this.element.addEventListener("close", () => this.gallery.grid.children[this.place]?.querySelector("button")?.focus());
    document.body.append(this.element);
  }

  open(place) {
    this.place = place;
    const { path, found } = this.gallery;
    const image = found.items[place];
    const shape = image.width && image.height ? image.height / image.width : 0.66;
    this.compare.view.style.setProperty("--shape", shape);
    this.title.textContent = image.path;
    this.compare.show(address(`${path}/image`, { path: image.path, which: "before" }), address(`${path}/image`, { path: image.path, which: "after" }));
    const tile = (name, value, note) => h("div", {}, h("dt", {}, name), h("dd", {}, value, h("small", {}, note)));
    this.tiles.replaceChildren(
      tile("Before", bytes(image.source_bytes), image.width ? `${image.width} × ${image.height}` : ""),
      tile("After", bytes(image.published_bytes ?? image.source_bytes), saving(image.saving_percent ?? 0)),
      ...(image.psnr_db !== null && image.psnr_db !== undefined && image.outcome === "published" ? [tile("PSNR", decibels(image.psnr_db), "higher is closer")] : []),
      ...(image.ssim !== null && image.ssim !== undefined && image.outcome === "published" ? [tile("SSIM", image.ssim.toFixed(4), "1 is equal")] : []),
      ...(image.k ? [tile("Colours", `${image.k}`, image.codec ?? "")] : []),
    );
    this.words.textContent = `${outcome(image.outcome)}${image.reason ? `: ${image.reason}` : ""}`;
    this.download.href = address(`${path}/download`, { path: image.path });
    this.back.disabled = this.neighbour(-1) === null;
    this.next.disabled = this.neighbour(1) === null;
    if (!this.element.open) {
      this.element.showModal();
      this.compare.handle.focus();
    }
    this.compare.draw();
  }

  neighbour(step) {
    const { items } = this.gallery.found;
    for (let place = this.place + step; place >= 0 && place < items.length; place += step) {
      if (items[place].outcome !== "rejected") return place;
    }
    return null;
  }

  step(step) {
    const place = this.neighbour(step);
    if (place !== null) this.open(place);
  }
}

/** Buttons to the first, the neighbouring and the last page; nothing where one page holds all. */
export function fillPager(pager, offset, limit, total, go) {
  const page = Math.floor(offset / limit);
  const last = Math.max(0, Math.ceil(total / limit) - 1);
  show(pager, last > 0);
  const button = (name, to, disabled) => h("button", { type: "button", class: "button small", disabled, on: { click: () => go(to * limit) } }, name);
  pager.replaceChildren(
    button("First", 0, page === 0),
    button("Previous", page - 1, page === 0),
    h("span", { class: "quiet number" }, `Page ${number(page + 1)} of ${number(last + 1)}`),
    button("Next", page + 1, page >= last),
    button("Last", last, page >= last),
  );
}
