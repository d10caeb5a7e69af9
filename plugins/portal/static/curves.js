// Quality and silhouette over the number of colours, as two panels on one axis, with what was chosen marked.

import { h, svg } from "./dom.js";

const TICKS = [2, 4, 8, 16, 32, 64, 128, 256];
const PANEL = 96;
const GAP = 30;
const LEFT = 38;
const RIGHT = 14;
const TOP = 18;
const WORDS = { fixed: "fixed", silhouette: "silhouette alone", silhouette_floor: "silhouette and floor", quality: "quality floor" };

export const ruleName = (rule) => WORDS[rule] ?? rule;

export class Curves {
  constructor() {
    this.figure = h("figure", { class: "curves" });
    this.table = h("details", { class: "fold" }, h("summary", {}, "The numbers as a table"));
    this.element = h("div", {}, this.figure, this.table);
    this.data = null;
    new ResizeObserver(() => this.draw()).observe(this.figure);
  }

  /** curve: [{k, psnr_db, silhouette}], ascending; floor: dB or null; kByRule: what each rule takes. */
  show({ curve, floor, kByRule, k, psnr }) {
    this.data = { curve, floor, kByRule, k, psnr };
    this.draw();
    this.tabulate();
  }

  mark(k, psnr) {
    if (!this.data) return;
    Object.assign(this.data, { k, psnr });
    this.draw();
  }

  draw() {
    const width = Math.round(this.figure.clientWidth);
    if (!this.data || width < 120) return;
    const { curve, floor, kByRule, k, psnr } = this.data;
    const inner = width - LEFT - RIGHT;
    const x = (value) => LEFT + (inner * Math.log2(Math.max(value, 2) / 2)) / 7;
    const height = TOP + 2 * PANEL + GAP + 26;
    const finite = curve.filter((one) => one.psnr_db !== null);
    const psnrs = [...finite.map((one) => one.psnr_db), ...(floor === null ? [] : [floor])];
    const scores = curve.map((one) => one.silhouette);
    const chart = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": this.words() });
    for (const tick of TICKS) {
      chart.append(
        svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: TOP, y2: height - 26 }),
        svg("text", { class: "tick", x: x(tick), y: height - 10, "text-anchor": "middle" }, `${tick}`),
      );
    }
    const panel = (name, top, points, low, high, tone, format) => {
      const y = (value) => top + PANEL - (PANEL * (value - low)) / (high - low || 1);
      chart.append(svg("text", { class: `name ${tone}`, x: LEFT, y: top - 6 }, name));
      for (const value of [low, high]) {
        chart.append(
          svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
          svg("text", { class: "tick", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)),
        );
      }
      const places = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
      chart.append(svg("polyline", { class: `line ${tone}`, points: places.join(" ") }));
      for (const [at, value] of points) chart.append(svg("circle", { class: `dot ${tone}`, cx: x(at), cy: y(value), r: 2.2 }));
      return y;
    };
    const low = psnrs.length ? Math.floor(Math.min(...psnrs) / 5) * 5 : 0;
    const high = psnrs.length ? Math.ceil(Math.max(...psnrs) / 5) * 5 : 50;
    const yQuality = panel("Quality (PSNR, dB)", TOP, finite.map((one) => [one.k, one.psnr_db]), low, high, "quality", (value) => `${value}`);
    if (floor !== null) {
      chart.append(
        svg("line", { class: "floor", x1: LEFT, x2: width - RIGHT, y1: yQuality(floor), y2: yQuality(floor) }),
        svg("text", { class: "tick", x: width - RIGHT, y: yQuality(floor) - 4, "text-anchor": "end" }, `floor ${floor}`),
      );
    }
    const lowest = Math.min(0, ...scores.map((value) => Math.floor(value * 10) / 10));
    const ySilhouette = panel("Silhouette (squared Euclidean)", TOP + PANEL + GAP, curve.map((one) => [one.k, one.silhouette]), lowest, 1, "silhouette", (value) => value.toFixed(1));
    for (const [rule, taken] of Object.entries(kByRule)) {
      const found = curve.find((one) => one.k === taken);
      if (!found || (rule !== "silhouette" && rule !== "quality")) continue;
      const [y, tone] = rule === "silhouette" ? [ySilhouette(found.silhouette), "silhouette"] : [yQuality(found.psnr_db ?? high), "quality"];
      chart.append(svg("circle", { class: `taken ${tone}`, cx: x(taken), cy: y, r: 5.5 }));
    }
    const right = x(k) > width - 90;
    chart.append(
      svg("line", { class: "chosen", x1: x(k), x2: x(k), y1: TOP - 4, y2: height - 26 }),
      svg("text", { class: "chosen-word", x: x(k) + (right ? -5 : 5), y: TOP + 7, "text-anchor": right ? "end" : "start" }, `k = ${k}`),
    );
    if (psnr !== null && psnr !== undefined && psnr >= low && psnr <= high) {
      chart.append(svg("circle", { class: "chosen-dot", cx: x(k), cy: yQuality(psnr), r: 4.5 }));
    }
    this.figure.replaceChildren(chart, h("figcaption", { class: "quiet" }, "Number of colours k. Rings: what the quality floor and the silhouette would take."));
  }

  words() {
    const { curve, floor, kByRule, k } = this.data;
    const rules = Object.entries(kByRule).filter(([rule]) => rule !== "fixed");
    const taken = rules.map(([rule, value]) => `${ruleName(rule)}: ${value ?? "none"}`).join(", ");
    const range = curve.length ? `from ${curve[0].k} to ${curve.at(-1).k} colours` : "";
    return `Quality and silhouette ${range}. ${k} colours are marked. Chosen by each rule: ${taken}.${floor === null ? "" : ` The quality floor is ${floor} dB.`}`;
  }

  tabulate() {
    const rows = this.data.curve.map((one) =>
      h("tr", {}, h("th", { scope: "row" }, `${one.k}`), h("td", {}, one.psnr_db === null ? "exact" : one.psnr_db.toFixed(2)), h("td", {}, one.silhouette.toFixed(3))),
    );
    const head = h("tr", {}, ...["Colours", "PSNR, dB", "Silhouette"].map((name) => h("th", { scope: "col" }, name)));
    this.table.querySelector("table")?.remove();
    this.table.append(h("table", { class: "numbers" }, h("thead", {}, head), h("tbody", {}, ...rows)));
  }
}
