// Before and after in one place: a divider to drag or to move by keys, and zoom.

import { h, iconButton } from "./dom.js";

const LARGEST_ZOOM = 32;
const STEP = 5; // percent, for an arrow key

export class Compare {
  /** `labels`: what the two sides are called. */
  constructor(labels = ["Before", "After"]) {
    this.at = 50;
    this.zoom = 1;
    this.middle = { x: 0.5, y: 0.5 };
    this.size = null;
    this.before = h("img", { alt: labels[0], draggable: "false" });
    this.after = h("img", { alt: labels[1], draggable: "false" });
    this.over = h("div", { class: "compare-over" }, this.after);
    this.handle = h("div", {
      class: "compare-handle",
      role: "slider",
      tabindex: "0",
      "aria-label": `Divider between ${labels[0].toLowerCase()} and ${labels[1].toLowerCase()}`,
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    }, h("span", { "aria-hidden": "true" }));
    this.view = h(
      "div",
      { class: "compare-view" },
      this.before,
      this.over,
      h("span", { class: "compare-label", "aria-hidden": "true" }, labels[0]),
      h("span", { class: "compare-label after", "aria-hidden": "true" }, labels[1]),
      this.handle,
    );
    this.told = h("output", { class: "quiet number" }, "fit");
    this.element = h(
      "div",
      { class: "compare" },
      this.view,
      h(
        "div",
        { class: "compare-tools", role: "group", "aria-label": "Zoom" },
        iconButton("minus", "Zoom out", () => this.zoomBy(0.5)),
        this.told,
        iconButton("plus", "Zoom in", () => this.zoomBy(2)),
        iconButton("fit", "Fit into the window", () => this.fit()),
      ),
    );
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.view);
    this.divide(50);
  }

  listen() {
    this.handle.addEventListener("keydown", (event) => this.key(event));
    this.view.addEventListener("pointerdown", (event) => this.drag(event));
    this.view.addEventListener("dblclick", (event) => this.zoomBy(this.zoom < 4 ? 2 : 1 / this.zoom, event));
    this.view.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return; // the page scrolls; pinching and Ctrl zoom
        event.preventDefault();
        this.zoomBy(event.deltaY < 0 ? 1.25 : 0.8, event);
      },
      { passive: false },
    );
    for (const image of [this.before, this.after]) {
      image.addEventListener("load", () => {
        this.size = { width: image.naturalWidth, height: image.naturalHeight };
        this.draw();
      });
    }
  }

  /** Show two images, by their addresses. Zoom and divider stay where the image stays the same. */
  show(before, after) {
    if (this.before.getAttribute("src") !== before) {
      this.before.src = before;
      this.fit();
    }
    if (after) this.after.src = after;
    this.over.hidden = !after;
  }

  key(event) {
    const steps = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -20, PageUp: 20 };
    if (event.shiftKey && event.key.startsWith("Arrow") && this.zoom > 1) {
      const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      this.middle = { x: this.middle.x + (0.1 * x) / this.zoom, y: this.middle.y + (0.1 * y) / this.zoom };
      this.draw();
    } else if (event.key in steps) this.divide(this.at + steps[event.key]);
    else if (event.key === "Home") this.divide(0);
    else if (event.key === "End") this.divide(100);
    else if (event.key === "+" || event.key === "=") this.zoomBy(2);
    else if (event.key === "-") this.zoomBy(0.5);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  /** The handle moves the divider; the image itself is moved where it is zoomed, or else moves the divider too. */
  drag(event) {
    if (event.button !== 0) return;
    const dividing = this.zoom === 1 || this.handle.contains(event.target);
    let last = { x: event.clientX, y: event.clientY };
    const move = (moved) => {
      if (dividing) {
        const box = this.view.getBoundingClientRect();
        this.divide((100 * (moved.clientX - box.left)) / box.width);
      } else {
        const shown = this.shown();
        this.middle = {
          x: this.middle.x - (moved.clientX - last.x) / shown.width,
          y: this.middle.y - (moved.clientY - last.y) / shown.height,
        };
        last = { x: moved.clientX, y: moved.clientY };
        this.draw();
      }
    };
    const end = () => {
      this.view.removeEventListener("pointermove", move);
      this.view.classList.remove("dragged");
    };
    this.view.setPointerCapture(event.pointerId);
    this.view.classList.add("dragged");
    this.view.addEventListener("pointermove", move);
    this.view.addEventListener("pointerup", end, { once: true });
    this.view.addEventListener("pointercancel", end, { once: true });
    if (dividing) {
      event.preventDefault();
      this.handle.focus({ preventScroll: true });
      move(event);
    }
  }

  divide(percent) {
    this.at = Math.min(100, Math.max(0, percent));
    this.view.style.setProperty("--at", `${this.at}%`);
    this.handle.setAttribute("aria-valuenow", Math.round(this.at));
    this.handle.setAttribute("aria-valuetext", `${Math.round(this.at)} % before`);
  }

  fit() {
    this.zoom = 1;
    this.middle = { x: 0.5, y: 0.5 };
    this.draw();
  }

  /** `at`: the event whose place stays where it is; else the middle does. */
  zoomBy(factor, at = null) {
    const before = this.shown();
    const zoom = Math.min(LARGEST_ZOOM, Math.max(1, this.zoom * factor));
    if (zoom === this.zoom) return;
    if (at && before) {
      const box = this.view.getBoundingClientRect();
      const [x, y] = [at.clientX - box.left - box.width / 2, at.clientY - box.top - box.height / 2];
      const grown = 1 - this.zoom / zoom;
      this.middle = { x: this.middle.x + (x * grown) / before.width, y: this.middle.y + (y * grown) / before.height };
    }
    this.zoom = zoom;
    if (zoom === 1) this.middle = { x: 0.5, y: 0.5 };
    this.draw();
  }

  /** The image's size on the screen. */
  shown() {
    if (!this.size) return null;
    const scale = Math.min(this.view.clientWidth / this.size.width, this.view.clientHeight / this.size.height) * this.zoom;
    return { width: this.size.width * scale, height: this.size.height * scale, scale };
  }

  draw() {
    const shown = this.shown();
    if (!shown || !shown.width) return;
    const place = (middle, length, view) => {
      const least = Math.min(0.5, view / 2 / length);
      return Math.min(1 - least, Math.max(least, middle));
    };
    this.middle = {
      x: place(this.middle.x, shown.width, this.view.clientWidth),
      y: place(this.middle.y, shown.height, this.view.clientHeight),
    };
    for (const image of [this.before, this.after]) {
      image.style.width = `${shown.width}px`;
      image.style.height = `${shown.height}px`;
      image.style.left = `${this.view.clientWidth / 2 - this.middle.x * shown.width}px`;
      image.style.top = `${this.view.clientHeight / 2 - this.middle.y * shown.height}px`;
      image.classList.toggle("pixels", shown.scale >= 2);
    }
    this.view.classList.toggle("zoomed", this.zoom > 1);
    this.told.value = this.zoom === 1 ? "fit" : `${Math.round(100 * shown.scale)} %`;
  }
}
