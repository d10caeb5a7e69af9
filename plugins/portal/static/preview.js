// The instant preview: one image, any number of colours, what that looks like and what it costs.

import { address, call, Refused } from "./api.js";
import { Compare } from "./compare.js";
import { Curves, ruleName } from "./curves.js";
import { afterPause, announce, h, part, show } from "./dom.js";
import { bytes, count, decibels, number, saving } from "./format.js";
import { Swatches } from "./swatches.js";

// What browsers show by themselves, upright and in sRGB as the server decodes it.
const SHOWN = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "image/bmp"];
const KEPT_POINTS = 64;

export class PreviewPanel {
  /** within: the section; onWay: called with parameters that somebody wants to use. */
  constructor(within, onWay) {
    this.within = within;
    this.empty = part("preview-empty", within);
    this.onWay = onWay;
    this.parameters = {};
    this.turn = 0;
    this.points = new Map();
    this.compare = new Compare();
    this.curves = new Curves();
    this.swatches = new Swatches();
    this.build();
  }

  build() {
    this.title = h("h3", { class: "path" });
    this.facts = h("p", { class: "quiet number" });
    this.busy = h("span", { class: "tag busy" }, "looking");
    this.wrong = h("p", { class: "note bad", role: "alert" });
    this.tiles = h("dl", { class: "tiles" });
    this.words = h("p", { class: "note" });
    this.reason = h("p", { class: "quiet" });
    this.slider = h("input", { type: "range", id: "k-slider", min: 0, max: 1000, step: "any", "aria-describedby": "k-words" });
    this.exact = h("input", { type: "number", id: "k-number", min: 2, max: 256, step: 1, "aria-label": "Number of colours" });
    this.back = h("button", { type: "button", class: "button plain small", on: { click: () => this.reset() } }, "As chosen");
    this.ways = h("ul", { class: "ways" });
    this.waysButton = h("button", { type: "button", class: "button small", on: { click: () => this.lookForWays() } }, "Try other settings on this image");
    this.whole = h(
      "div",
      { class: "stack" },
      this.compare.element,
      h(
        "div",
        { class: "slider" },
        h("label", { for: "k-slider", class: "label" }, "Colours"),
        this.slider,
        this.exact,
        this.back,
        h("span", { id: "k-words", class: "seen-by-readers" }, "Arrow keys change the number of colours by one."),
      ),
      this.tiles,
      this.words,
      h("div", { class: "stack tight" }, h("h3", {}, "Palette"), this.swatches.element),
      h("div", { class: "stack tight" }, h("h3", {}, "Why this many colours"), this.reason, this.curves.element),
      h("div", { class: "stack tight" }, h("div", { class: "row" }, h("h3", {}, "What else would help"), this.waysButton), this.ways),
    );
    this.within.append(h("div", { class: "row" }, this.title, this.busy), this.facts, this.wrong, this.whole);
    for (const one of [this.title, this.busy, this.facts, this.wrong, this.whole]) show(one, false);
    const soon = afterPause(40, (k) => this.goTo(k));
    const choose = (k) => {
      this.setK(k);
      soon(k);
    };
    this.slider.addEventListener("input", () => choose(this.kAt(Number(this.slider.value))));
    this.slider.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -16, PageUp: 16 };
      let k = this.k + (steps[event.key] ?? 0);
      if (event.key === "Home") k = this.told.least_k;
      else if (event.key === "End") k = this.told.largest_k;
      else if (!(event.key in steps)) return;
      event.preventDefault();
      choose(this.bounded(k));
    });
    this.exact.addEventListener("change", () => choose(this.bounded(Number(this.exact.value) || this.told.k)));
  }

  /** Preview a file: its name, and a function that gives its bytes (a Blob). */
  async open(name, read) {
    const turn = ++this.turn;
    this.source = { name, read };
    for (const one of [this.title, this.busy]) show(one);
    for (const one of [this.empty, this.facts, this.wrong]) show(one, false);
    this.title.textContent = name;
    this.within.setAttribute("aria-busy", "true");
    try {
      const content = await read();
      let told = await call("/previews", { method: "POST", body: content });
      if (Object.keys(this.parameters).length) told = await this.chosenAgain(told.id);
      if (turn === this.turn) this.fill(told, content);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    } finally {
      if (turn === this.turn) {
        show(this.busy, false);
        this.within.removeAttribute("aria-busy");
      }
    }
  }

  fail(error) {
    if (!(error instanceof Refused)) console.warn(error);
    show(this.whole, false);
    show(this.wrong);
    this.wrong.textContent = error instanceof Refused ? error.message : "The preview could not be made: is the connection lost?";
  }

  chosenAgain(id) {
    return call(`/previews/${id}/parameters`, { method: "PUT", json: { parameters: this.parameters } });
  }

  /** The settings of the run have changed: choose again. */
  async configure(parameters) {
    this.parameters = parameters;
    if (!this.told || this.whole.hidden) return;
    const turn = ++this.turn;
    try {
      const told = await this.chosenAgain(this.told.id);
      if (turn === this.turn) this.fill(told, null);
    } catch (error) {
      if (turn !== this.turn) return;
      if (error.status === 404) await this.open(this.source.name, this.source.read);
      else this.fail(error);
    }
  }

  fill(told, content) {
    this.told = told;
    for (const kept of this.points.values()) URL.revokeObjectURL(kept.image);
    this.points.clear();
    if (content) {
      if (this.before?.startsWith("blob:")) URL.revokeObjectURL(this.before);
      this.before = SHOWN.includes(content.type) ? URL.createObjectURL(content) : address(`/previews/${told.id}/source`);
      const shape = told.height / told.width;
      this.compare.view.style.setProperty("--shape", shape);
      this.compare.after.removeAttribute("src");
    }
    this.facts.textContent = [
      `${told.width} × ${told.height}`,
      bytes(told.source_bytes),
      `${number(told.distinct_colours)} distinct ${told.distinct_colours === 1 ? "colour" : "colours"}`,
      ...(told.flat_colours ? [`a graphic of ${told.flat_colours} flat colours`] : []),
    ].join(" · ");
    this.reason.textContent = this.why();
    this.exact.min = told.least_k;
    this.exact.max = told.largest_k;
    this.exact.disabled = this.slider.disabled = told.least_k >= told.largest_k;
    this.curves.show({ curve: told.curve, floor: told.min_psnr_db, kByRule: told.k_by_rule, k: told.k, psnr: told.at.psnr_db });
    this.curves.element.hidden = !told.curve.length;
    this.ways.replaceChildren();
    for (const one of [this.whole, this.facts, this.waysButton]) show(one);
    show(this.wrong, false);
    this.setK(told.k);
    this.showPoint(told.at, address(`/previews/${told.id}/image`));
    announce(`${this.source.name}: ${count(told.k, "colour")}, ${bytes(told.at.size_bytes)}, ${saving(told.at.saving_percent)}`);
    if (!told.at.smaller || !told.reachable) this.lookForWays();
  }

  why() {
    const reason = this.told.reason;
    return `${reason[0].toUpperCase()}${reason.slice(1)}. Rule: ${ruleName(this.told.rule)}.`;
  }

  bounded(k) {
    return Math.min(this.told.largest_k, Math.max(this.told.least_k, Math.round(k)));
  }

  // The slider is logarithmic: from 2 to 4 is as far as from 128 to 256.
  kAt(place) {
    const { least_k: least, largest_k: largest } = this.told;
    return this.bounded(least * (largest / least) ** (place / 1000));
  }

  setK(k) {
    this.k = k;
    const { least_k: least, largest_k: largest } = this.told;
    if (this.kAt(Number(this.slider.value)) !== k) {
      this.slider.value = largest > least ? (1000 * Math.log(k / least)) / Math.log(largest / least) : 0;
    }
    this.slider.setAttribute("aria-valuetext", count(k, "colour"));
    this.exact.value = k;
    this.back.disabled = k === this.told.k;
  }

  reset() {
    this.setK(this.told.k);
    this.showPoint(this.told.at, address(`/previews/${this.told.id}/image`));
    this.slider.focus();
  }

  async goTo(k) {
    const { id } = this.told;
    if (k === this.told.k) return this.showPoint(this.told.at, address(`/previews/${id}/image`));
    const turn = ++this.turn;
    try {
      let kept = this.points.get(k);
      if (!kept) {
        const [at, image] = await Promise.all([call(`/previews/${id}`, { query: { k } }), fetch(address(`/previews/${id}/image`, { k }))]);
        if (!image.ok) throw new Refused(image.status, null);
        kept = { at, image: URL.createObjectURL(await image.blob()) };
        if (this.told.id !== id) return undefined;
        if (this.points.size >= KEPT_POINTS) {
          const [oldest, gone] = this.points.entries().next().value;
          URL.revokeObjectURL(gone.image);
          this.points.delete(oldest);
        }
        this.points.set(k, kept);
      }
      if (turn === this.turn) this.showPoint(kept.at, kept.image);
    } catch (error) {
      if (turn !== this.turn) return undefined;
      if (error.status === 404) return this.open(this.source.name, this.source.read);
      this.fail(error);
    }
    return undefined;
  }

  showPoint(at, image) {
    this.compare.show(this.before, image);
    const tile = (name, value, note, tone) => h("div", {}, h("dt", {}, name), h("dd", { class: tone }, value, h("small", {}, note)));
    this.tiles.replaceChildren(
      tile("File size", bytes(at.size_bytes), `was ${bytes(this.told.source_bytes)}`),
      tile(at.saving_percent < 0 ? "Larger by" : "Saved", `${Math.abs(at.saving_percent).toFixed(1)} %`, at.smaller ? "worth it" : "the original is kept", at.smaller ? "good" : "warn"),
      tile("PSNR", decibels(at.psnr_db), at.below_floor && this.told.min_psnr_db ? `below the floor of ${this.told.min_psnr_db}` : "higher is closer", at.below_floor && this.told.min_psnr_db ? "warn" : null),
      tile("SSIM", at.exact ? "1" : at.ssim.toFixed(4), "1 is equal"),
      tile("Colour difference", at.exact ? "0" : at.delta_e.toFixed(1), "CIEDE2000, 95th percentile"),
    );
    this.words.className = `note ${at.advice ? "warn" : "good"}`;
    this.words.textContent = at.advice ?? this.praise(at);
    this.swatches.show(at.palette);
    this.curves.mark(at.k, at.psnr_db);
  }

  praise(at) {
    const smaller = `${bytes(at.size_bytes)} instead of ${bytes(this.told.source_bytes)}`;
    if (at.exact) return `All ${count(at.k, "colour")} are kept, every pixel stays exactly as it is: ${smaller}.`;
    return `${count(at.k, "colour")}: ${smaller}, ${saving(at.saving_percent)}.`;
  }

  async lookForWays() {
    const { id } = this.told;
    show(this.waysButton, false);
    this.ways.replaceChildren(h("li", { class: "quiet" }, "Trying…"));
    try {
      const { items } = await call(`/previews/${id}/ways`);
      if (this.told.id === id) this.ways.replaceChildren(...this.waysOf(items));
    } catch (error) {
      if (this.told.id === id) this.ways.replaceChildren(h("li", { class: "quiet" }, error.message));
    }
  }

  waysOf(items) {
    const useful = items.filter((way) => way.smaller && way.size_bytes < this.told.at.size_bytes);
    if (!useful.length) return [h("li", { class: "quiet" }, "Nothing that was tried makes this image smaller: it is well compressed as it is.")];
    return useful.map((way) =>
      h(
        "li",
        {},
        h("span", {}, h("strong", {}, way.title), h("br"), h("small", { class: "number" }, `${bytes(way.size_bytes)}, ${saving(way.saving_percent)} · ${decibels(way.psnr_db)}`)),
        h("button", { type: "button", class: "button small", "aria-label": `Use: ${way.title}`, on: { click: () => this.onWay(way.parameters) } }, "Use"),
      ),
    );
  }
}
