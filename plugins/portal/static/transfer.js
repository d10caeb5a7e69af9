// Sends files: several at a time, each from where it stopped. What the server has is never sent again.

import { address, call, Refused } from "./api.js";
import { pause } from "./dom.js";

const AT_A_TIME = 4;
const ANNOUNCED_AT_ONCE = 500;
const PART_BYTES = 64 * 1024 * 1024;
const LONGEST_PAUSE_MS = 30_000;
const TRIES = 8;

/** One file of an upload, on either side. States: ready, waiting, sending, received, refused, failed. */
export class Entry {
  constructor(path, size, file = null) {
    Object.assign(this, { path, size, file, id: null, state: "ready", received: 0, reason: null, told: null, xhr: null });
  }

  get key() {
    return `${this.path}\n${this.size}`;
  }

  /** What the server says of it. */
  take(told) {
    this.told = told;
    this.id = told.id;
    this.received = told.received_bytes;
    if (told.state === "received" || told.state === "refused") this.state = told.state;
    else if (this.state !== "sending") this.state = this.file ? "ready" : "waiting";
    this.reason = told.reason;
  }

  get isOver() {
    return this.state === "received" || this.state === "refused";
  }
}

export class Transfer {
  /** changed: called whenever an entry has changed. */
  constructor(changed) {
    this.uploadId = null; // to be set before anything is sent
    this.changed = changed;
    this.queue = [];
    this.working = 0;
    this.paused = false;
    this.startedAt = 0;
    this.sentBytes = 0;
    this.finished = null;
  }

  get running() {
    return this.finished !== null;
  }

  /** Send entries; done when all of them are over or have failed. */
  send(entries) {
    this.queue.push(...entries);
    for (const entry of entries) entry.state = "waiting";
    this.paused = false;
    if (!this.finished) {
      this.startedAt = performance.now();
      this.sentBytes = 0;
      this.finished = this.run().finally(() => {
        this.finished = null;
      });
    }
    return this.finished;
  }

  async run() {
    while (this.queue.length && !this.paused) {
      const batch = this.queue.splice(0, ANNOUNCED_AT_ONCE);
      const failed = await this.announce(batch);
      if (failed) {
        for (const entry of batch) Object.assign(entry, { state: "failed", reason: failed });
        this.changed();
        continue;
      }
      const waiting = batch.filter((entry) => !entry.isOver && entry.state !== "cancelled");
      await Promise.all(Array.from({ length: AT_A_TIME }, () => this.work(waiting)));
      this.queue.unshift(...waiting); // where it was paused
    }
  }

  async work(waiting) {
    while (waiting.length && !this.paused) {
      const entry = waiting.shift();
      if (entry.state !== "cancelled") await this.sendOne(entry);
    }
  }

  /** Tell the server what comes, and learn what it has; the reason why not, or null. */
  async announce(batch) {
    const files = batch.map((entry) => ({ path: entry.path, size_bytes: entry.size }));
    try {
      const { items } = await patiently(() => call(`/uploads/${this.uploadId}/files`, { method: "POST", json: { files } }));
      items.forEach((told, place) => batch[place].take(told));
      this.changed();
      return null;
    } catch (error) {
      return error instanceof Refused ? error.message : "The connection is lost.";
    }
  }

  async sendOne(entry) {
    entry.state = "sending";
    let failures = 0;
    while (!entry.isOver && entry.state === "sending") {
      const before = entry.received;
      try {
        entry.take(await this.sendPart(entry));
      } catch (error) {
        if (entry.state !== "sending") break;
        if (error instanceof Refused && error.offset !== null) {
          // The server knows better how far it is.
          entry.received = error.offset;
          failures += 1;
        } else if (error instanceof Refused && error.status < 500 && error.status !== 429) {
          Object.assign(entry, { state: "failed", reason: error.message });
          break;
        } else {
          failures = entry.received > before ? 0 : failures + 1;
          if (failures < TRIES) {
            entry.reason = "The connection is lost; trying again.";
            this.changed();
            await pause(pauseAfter(failures, error));
            if (entry.state === "sending") await this.announce([entry]);
          }
        }
        if (failures >= TRIES) Object.assign(entry, { state: "failed", reason: error.message || "The connection is lost." });
      }
      this.changed();
    }
    this.changed();
  }

  /** Send the next part of a file; what the server says of the file then. */
  sendPart(entry) {
    const start = entry.received;
    const part = entry.file.slice(start, Math.min(entry.size, start + PART_BYTES));
    return new Promise((done, fail) => {
      // fetch() does not tell how far a body is.
      const xhr = new XMLHttpRequest();
      entry.xhr = xhr;
      let counted = 0;
      xhr.open("PATCH", address(`/uploads/${this.uploadId}/files/${entry.id}`));
      xhr.setRequestHeader("Upload-Offset", `${start}`);
      xhr.setRequestHeader("Content-Type", "application/octet-stream");
      xhr.upload.addEventListener("progress", (event) => {
        this.sentBytes += event.loaded - counted;
        counted = event.loaded;
        entry.received = start + event.loaded;
        this.changed();
      });
      xhr.addEventListener("load", () => {
        let answer = null;
        try {
          answer = JSON.parse(xhr.responseText);
        } catch {
          // A proxy's page of an error.
        }
        if (xhr.status === 401) location.reload();
        if (xhr.status < 300 && answer) done(answer);
        else fail(new Refused(xhr.status, answer, xhr.getResponseHeader("Retry-After"), xhr.getResponseHeader("Upload-Offset")));
      });
      const lost = () => fail(new Error("The connection is lost."));
      xhr.addEventListener("error", lost);
      xhr.addEventListener("abort", lost);
      xhr.send(part);
    });
  }

  /** Stop after what is under way has stopped, too; `send` goes on. */
  pause() {
    this.paused = true;
    for (const entry of this.queue) entry.state = "ready";
  }

  /** Forget a file, here and on the server. */
  async cancel(entry) {
    entry.state = "cancelled";
    entry.xhr?.abort();
    this.queue = this.queue.filter((one) => one !== entry);
    if (entry.id) await call(`/uploads/${this.uploadId}/files/${entry.id}`, { method: "DELETE" }).catch((error) => {
      if (error.status !== 404) throw error;
    });
  }
}

/** Ask again while the server is busy or the connection lost. */
async function patiently(ask) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await ask();
    } catch (error) {
      const heals = !(error instanceof Refused) || error.status >= 500 || error.status === 429;
      if (!heals || failures + 1 >= TRIES) throw error;
      await pause(pauseAfter(failures + 1, error));
    }
  }
}

function pauseAfter(failures, error) {
  const asked = error instanceof Refused && error.retryAfter ? error.retryAfter * 1000 : 500 * 2 ** failures;
  return Math.min(LONGEST_PAUSE_MS, asked) * (0.8 + 0.4 * Math.random());
}
