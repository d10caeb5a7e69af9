// Elements without markup: whatever comes from outside becomes text, never HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** h("p", {class: "quiet", on: {click}}, "words", other element). */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

const ICONS = {
  close: "M5 5l10 10M15 5L5 15",
  retry: "M15.5 8A6 6 0 1 0 16 11.5M16 4v4h-4",
  plus: "M10 4v12M4 10h12",
  minus: "M4 10h12",
  fit: "M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4",
  left: "M12 4l-6 6 6 6",
  right: "M8 4l6 6-6 6",
  download: "M10 3v9m0 0-4-4m4 4 4-4M4 16h12",
};

export function icon(name) {
  return svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true", class: "drawn" }, svg("path", { d: ICONS[name] }));
}

/** A button that shows only a picture; its name is read out. */
export function iconButton(name, label, click) {
  return h("button", { type: "button", class: "icon", "aria-label": label, title: label, on: { click } }, icon(name));
}

/** The element that the template marks with data-is="name". */
export function part(name, within = document) {
  return within.querySelector(`[data-is="${name}"]`);
}

export function show(element, visible = true) {
  element.hidden = !visible;
}

/** Read out by screen readers, once they are done with what they read. */
export function announce(words) {
  document.getElementById("announcer").textContent = words;
}

/** At most one call for each frame. */
export function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

/** A call, once nothing has asked for it for so many milliseconds. */
export function afterPause(milliseconds, work) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** A question with two answers, in the page's own dialog; true for yes. */
export function ask(title, words, yes, danger = false) {
  return new Promise((answer) => {
    const confirm = h("button", { class: `button ${danger ? "danger" : "primary"}`, value: "yes" }, yes);
    const dialog = h(
      "dialog",
      { class: "dialog small", "aria-labelledby": "question" },
      h(
        "form",
        { method: "dialog", class: "stack" },
        h("h2", { id: "question" }, title),
        h("p", {}, words),
        h("div", { class: "row end" }, h("button", { class: "button", value: "no" }, "Cancel"), confirm),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      answer(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
