// The form of a run's parameters, made of the schema that also checks them.

import { afterPause, h, show } from "./dom.js";

// What most people want to change; the rest is folded away.
const FIRST = ["quality.min_psnr_db", "compression.codec", "palette.rule", "palette.k", "compression.rdo"];
const SECTIONS = { palette: "Colours", quality: "Quality", compression: "Files", publish: "Publishing" };
const NAMES = {
  "quality.min_psnr_db": "Quality floor (PSNR, dB)",
  "compression.codec": "File format",
  "palette.rule": "How the number of colours is chosen",
  "palette.k": "Number of colours",
  "compression.rdo": "Favour small files (rdo)",
};
const CHOICES = {
  png: "PNG",
  webp: "WebP, lossless",
  auto: "The smallest: also lossy WebP and AVIF",
  silhouette_floor: "By silhouette, above the floor",
  silhouette: "By silhouette alone",
  quality: "The fewest above the floor",
  fixed: "A number of my own",
};
// What the form needs of others: the number of colours counts for rule 'fixed' only.
const ONLY_WITH = { "palette.k": ["palette.rule", "fixed"] };

const words = (name) => {
  const key = name.split(".")[1].replaceAll("_", " ");
  return key[0].toUpperCase() + key.slice(1);
};

export class ParametersForm {
  /** changed: called with what differs from the defaults, a moment after somebody has changed something. */
  constructor(schema, changed) {
    this.schema = schema;
    this.fields = new Map();
    const tell = afterPause(350, () => this.valid() && changed(this.values()));
    const first = FIRST.filter((name) => name in schema);
    const rest = Object.keys(schema).filter((name) => !first.includes(name));
    const groups = Object.groupBy ? Object.groupBy(rest, (name) => name.split(".")[0]) : grouped(rest);
    this.element = h(
      "form",
      { class: "stack", novalidate: true, on: { submit: (event) => event.preventDefault() } },
      h("div", { class: "fields" }, ...first.map((name) => this.field(name))),
      h(
        "details",
        { class: "fold" },
        h("summary", {}, "More settings"),
        ...Object.entries(groups).map(([section, names]) =>
          h("fieldset", { class: "more-settings" }, h("legend", {}, SECTIONS[section] ?? words(`.${section}`)), h("div", { class: "fields" }, ...names.map((name) => this.field(name)))),
        ),
      ),
    );
    this.element.addEventListener("input", () => {
      this.adapt();
      tell();
    });
    this.adapt();
  }

  field(name) {
    const spec = this.schema[name];
    const id = `parameter-${name}`;
    const types = [spec.type].flat();
    const shared = { id, name, "aria-describedby": `${id}-hint` };
    let input;
    if (spec.enum) {
      input = h("select", shared, ...spec.enum.map((value) => h("option", { value }, CHOICES[value] ?? value)));
    } else if (types.includes("integer") || types.includes("number")) {
      const [min, max] = [spec.minimum ?? spec.exclusiveMinimum, spec.maximum ?? spec.exclusiveMaximum];
      input = h("input", { ...shared, type: "number", min, max, step: types.includes("integer") ? 1 : "any", required: !types.includes("null") });
    } else {
      input = h("input", { ...shared, type: "text", pattern: spec.pattern, placeholder: types.includes("array") ? "none" : null });
    }
    const wrong = h("span", { class: "wrong", id: `${id}-wrong`, role: "alert" });
    const element = h(
      "div",
      { class: "field" },
      h("label", { for: id }, NAMES[name] ?? words(name)),
      input,
      h("span", { class: "hint", id: `${id}-hint` }, spec.description ?? ""),
      wrong,
    );
    this.fields.set(name, { spec, types, input, wrong, element });
    this.put(name, spec.default);
    input.addEventListener("change", () => this.check(name));
    return element;
  }

  put(name, value) {
    this.fields.get(name).input.value = Array.isArray(value) ? value.join(", ") : (value ?? "");
  }

  /** Set some values, as if somebody had typed them. */
  use(values) {
    for (const [name, value] of Object.entries(values)) if (this.fields.has(name)) this.put(name, value);
    this.element.dispatchEvent(new Event("input"));
  }

  read(name) {
    const { spec, types, input } = this.fields.get(name);
    const typed = input.value.trim();
    if (types.includes("array")) {
      const parts = typed.split(/[\s,]+/).filter(Boolean);
      const numeric = spec.items?.type === "integer" || spec.items?.type === "number";
      return numeric ? parts.map(Number) : parts;
    }
    if (typed === "" && types.includes("null")) return null;
    return input.type === "number" ? Number(typed) : input.value;
  }

  /** What differs from the defaults. */
  values() {
    const changed = {};
    for (const [name, { spec }] of this.fields) {
      const value = this.read(name);
      if (JSON.stringify(value) !== JSON.stringify(spec.default ?? null)) changed[name] = value;
    }
    return changed;
  }

  check(name) {
    const { input, wrong } = this.fields.get(name);
    const fine = input.checkValidity();
    input.setAttribute("aria-invalid", !fine);
    wrong.textContent = fine ? "" : input.validationMessage;
    return fine;
  }

  valid() {
    return [...this.fields.keys()].map((name) => this.check(name)).every(Boolean);
  }

  adapt() {
    for (const [name, [other, value]] of Object.entries(ONLY_WITH)) {
      const field = this.fields.get(name);
      if (field) show(field.element, this.fields.get(other)?.input.value === value);
    }
  }
}

function grouped(names) {
  const groups = {};
  for (const name of names) (groups[name.split(".")[0]] ??= []).push(name);
  return groups;
}
