// A palette as swatches: a bar by share of pixels, and the colours with their numbers.

import { count } from "./format.js";
import { h } from "./dom.js";

const OPEN = 12;

const lightness = (color) => {
  const [red, green, blue] = [1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue;
};

/** "#aabbccff" -> "#aabbcc"; translucent colours keep their last two digits. */
const spelled = (color) => (color.endsWith("ff") && color.length === 9 ? color.slice(0, 7) : color);

function colored(tag, color, attributes = {}) {
  const element = h(tag, { class: "swatch", ...attributes });
  element.style.setProperty("--color", color);
  return element;
}

function share(value) {
  const percent = 100 * value;
  return `${percent < 0.01 ? "< 0.01" : percent.toFixed(percent < 10 ? 2 : 1)} %`;
}

export class Swatches {
  constructor() {
    this.bar = h("div", { class: "palette-bar", role: "img" });
    this.list = h("ul", { class: "swatches" });
    this.rest = h("ul", { class: "swatches" });
    this.summary = h("summary", {});
    this.more = h("details", { class: "fold" }, this.summary, this.rest);
    this.element = h("div", { class: "stack tight" }, this.bar, this.list, this.more);
    this.more.addEventListener("toggle", () => this.fillRest());
  }

  /** palette: [{color, share}], the largest share first. */
  show(palette) {
    this.palette = palette;
    this.bar.replaceChildren(
      ...[...palette].sort((a, b) => lightness(a.color) - lightness(b.color)).map((one) => {
        const piece = colored("i", one.color);
        piece.style.flexGrow = one.share;
        return piece;
      }),
    );
    this.bar.setAttribute("aria-label", `The palette: ${count(palette.length, "colour")} by their share of the pixels`);
    this.list.replaceChildren(...palette.slice(0, OPEN).map(item));
    this.more.hidden = palette.length <= OPEN;
    this.summary.textContent = `${count(palette.length - OPEN, "more colour")}`;
    this.fillRest();
  }

  fillRest() {
    this.rest.replaceChildren(...(this.more.open ? this.palette.slice(OPEN).map(item) : []));
  }
}

function item(one) {
  return h("li", {}, colored("i", one.color, { "aria-hidden": "true" }), h("span", {}, h("code", {}, spelled(one.color)), h("br"), h("small", { class: "number" }, share(one.share))));
}
