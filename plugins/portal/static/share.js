// Read-only links to the results of an upload.

import { call } from "./api.js";
import { announce, h, iconButton } from "./dom.js";
import { moment } from "./format.js";

const DAYS = { 1: "1 day", 7: "7 days", 30: "30 days", 90: "90 days" };

export class ShareDialog {
  constructor(uploadId) {
    this.path = `/uploads/${uploadId}/shares`;
    this.days = h("select", { id: "share-days" }, ...Object.entries(DAYS).map(([value, name]) => h("option", { value, selected: value === "7" }, name)));
    this.list = h("ul", { class: "shares" });
    this.wrong = h("p", { class: "wrong", role: "alert" });
    this.element = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "share-title" },
      h("div", { class: "row head" }, h("h2", { id: "share-title" }, "Share the results"), h("span", { class: "push" }, iconButton("close", "Close", () => this.element.close()))),
      h("p", { class: "quiet" }, "Whoever has the link can look at the images and download them, without an account, until it expires."),
      h("form", { class: "row", on: { submit: (event) => this.make(event) } }, h("label", { for: "share-days", class: "label" }, "Valid for"), this.days, h("button", { class: "button primary" }, "Make a link")),
      this.wrong,
      this.list,
    );
    document.body.append(this.element);
  }

  async open() {
    this.element.showModal();
    await this.load();
  }

  async load() {
    const { items } = await call(this.path);
    this.list.replaceChildren(...items.map((share) => this.item(share)));
  }

  async make(event) {
    event.preventDefault();
    this.wrong.textContent = "";
    try {
      await call(this.path, { method: "POST", json: { days: Number(this.days.value) } });
      await this.load();
      announce("The link is made.");
    } catch (error) {
      this.wrong.textContent = error.message;
    }
  }

  item(share) {
    const url = share.url ? new URL(share.url, location.href).href : "This link cannot be shown again";
    const field = h("input", { type: "text", readonly: true, value: url, "aria-label": "Link", on: { focus: () => field.select() } });
    const copy = h("button", { type: "button", class: "button small", on: { click: () => this.copy(field, copy) } }, "Copy");
    const revoke = h("button", { type: "button", class: "button danger small", on: { click: () => this.revoke(share.key) } }, "Revoke");
    return h("li", {}, h("div", { class: "row" }, field, share.url ? copy : null, revoke), h("small", {}, `until ${moment(share.expires_at)}`));
  }

  async copy(field, button) {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
      announce("The link is copied.");
    } catch {
      // No clipboard without https: the link is selected, for Ctrl+C.
      announce("The link is selected.");
    }
  }

  async revoke(key) {
    await call(`/shares/${encodeURIComponent(key)}`, { method: "DELETE" });
    await this.load();
    announce("The link does not work any more.");
  }
}
