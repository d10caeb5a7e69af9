// Trends over a dataset's runs: bytes saved, quality, rejects, seconds of each stage.

import { call } from "./api.js";
import { h, part, show, svg } from "./dom.js";
import { bytes, count, duration, moment, number } from "./format.js";

const HEIGHT = 150;
const LEFT = 52;
const BOTTOM = 22;
const TOP = 10;
const STAGES = ["ingest", "select_k", "quantize", "compress", "publish"];

const { dataset } = document.querySelector("main").dataset;
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** A round number that is no less than the value. */
function above(value) {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 2, 2.5, 5, 10].find((times) => times * unit >= value);
}

/** Bars of one or more parts for each run; `parts` are functions of a run. */
function chart(title, runs, parts, format, { low = 0, high = null, legend = [] } = {}) {
  const figure = h("figure", { class: "card trend" });
  const draw = () => {
    const width = Math.round(drawing.clientWidth);
    if (width < 100) return;
    const totals = runs.map((run) => sum(parts.map((one) => one(run) ?? 0)));
    const top = high ?? above(Math.max(...totals));
    const y = (value) => TOP + (HEIGHT - TOP) * (1 - (value - low) / (top - low));
    const step = (width - LEFT) / runs.length;
    const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT + BOTTOM}`, width, height: HEIGHT + BOTTOM, role: "img", "aria-label": `${title}: ${format(totals.at(-1))} in the last of ${count(runs.length, "run")}` });
    for (const value of [low, (low + top) / 2, top]) {
      picture.append(svg("line", { class: "axis", x1: LEFT, x2: width, y1: y(value), y2: y(value) }), svg("text", { class: "tick", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)));
    }
    runs.forEach((run, place) => {
      let from = low;
      parts.forEach((one, tone) => {
        const value = one(run);
        if (value === null || value === undefined) return;
        const to = from === low ? Math.max(low, value) : from + value;
        const bar = svg("rect", { class: `bar tone-${tone}`, x: LEFT + place * step + step * 0.15, width: Math.max(1, Math.min(step * 0.7, 48)), y: y(Math.min(to, top)), height: Math.max(0, y(from) - y(Math.min(to, top))) });
        bar.append(svg("title", {}, `${run.partition}, ${moment(run.started)}: ${legend[tone] ? `${legend[tone]} ` : ""}${format(value)}`));
        picture.append(bar);
        from = to;
      });
    });
    const labelled = runs.length > 1 ? [0, runs.length - 1] : [0];
    for (const place of labelled) {
      picture.append(svg("text", { class: "tick", x: place ? width : LEFT, y: HEIGHT + 16, "text-anchor": place ? "end" : "start" }, runs[place].partition));
    }
    drawing.replaceChildren(picture);
  };
  const drawing = h("div", { class: "trend-drawing" });
  const words = legend.length ? h("ul", { class: "legend" }, ...legend.map((name, tone) => h("li", {}, h("i", { class: `tone-${tone}`, "aria-hidden": "true" }), name))) : null;
  figure.append(h("figcaption", {}, h("h2", {}, title)), drawing, ...(words ? [words] : []));
  new ResizeObserver(draw).observe(drawing);
  return figure;
}

function table(runs) {
  const names = ["Partition", "Started", "Images", "Rejected", "Before", "After", "Saved", "Lowest PSNR", "Time"];
  const rows = [...runs].reverse().map((run) => {
    const cells = [moment(run.started), number(run.images), number(run.rejected), bytes(run.bytes_in), bytes(run.bytes_out), `${run.saved_percent.toFixed(1)} %`, run.psnr_db ? `${run.psnr_db.min.toFixed(1)} dB` : "exact", duration(sum(Object.values(run.seconds)))];
    return h("tr", {}, h("th", { scope: "row" }, run.partition), ...cells.map((cell) => h("td", {}, cell)));
  });
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All runs as a table" }, h("table", { class: "numbers" }, h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...rows)));
}

function fill(runs) {
  const stages = [...new Set([...STAGES, ...runs.flatMap((run) => Object.keys(run.seconds))])].filter((stage) => runs.some((run) => stage in run.seconds));
  const lowest = Math.min(...runs.map((run) => run.psnr_db?.min ?? Infinity));
  part("trends").append(
    h(
      "div",
      { class: "trends" },
      chart("Bytes saved", runs, [(run) => Math.max(0, run.saved_bytes)], (value) => bytes(Math.round(value))),
      chart("Saved, percent", runs, [(run) => Math.max(0, run.saved_percent)], (value) => `${Math.round(value)} %`, { high: 100 }),
      ...(Number.isFinite(lowest) ? [chart("Lowest PSNR", runs, [(run) => run.psnr_db?.min ?? null], (value) => `${value.toFixed(0)} dB`, { low: Math.max(0, Math.floor(lowest / 10) * 10 - 10) })] : []),
      chart("Rejected files", runs, [(run) => run.rejected], (value) => number(Math.round(value * 10) / 10)),
      chart("Seconds of each stage", runs, stages.map((stage) => (run) => run.seconds[stage] ?? 0), (value) => duration(value), { legend: stages }),
    ),
    h("section", { class: "card stack", "aria-labelledby": "runs-title" }, h("h2", { id: "runs-title" }, "Runs"), table(runs)),
  );
}

call(`/datasets/${encodeURIComponent(dataset)}/trends`)
  .then(({ items }) => {
    if (items.length) fill(items);
    else part("trends").append(h("p", { class: "note" }, "This dataset has published nothing yet."));
  })
  .catch((error) => {
    part("gone").textContent = error.message;
    show(part("gone"));
  })
  .finally(() => part("trends").removeAttribute("aria-busy"));
