// The person's files as rows, with their progress, and how they are sent one after the other.

import { uuid } from "./file.js";
import { say, sizeText, timeText } from "./words.js";

/** These mean that the link is closed, and how. */
export const CLOSED = {
  ALREADY_USED: "completed", LINK_EXPIRED: "expired", DECLINED: "declined", CANCELLED: "cancelled",
  LINK_INVALID: "tampered", NOT_FOUND: "unknown",
};
/** These are the file's own fault: the same one again fares no better. */
const HOPELESS = new Set([
  "SIZE_EXCEEDED", "MIME_NOT_ALLOWED", "FILE_MISSING", "IMAGE_TOO_LARGE", "SCAN_BLOCKED",
]);
/** What a check can say. */
const CHECKS = new Set(["SCAN_BLOCKED", "MALFORMED_BODY", "IMAGE_TOO_LARGE", "INSUFFICIENT_STORAGE"]);

/** Whether a request that stands like this has brought its files. */
export const hasCome = (how) => how === "completed" || how === "consumed";

/** What went wrong, in the person's language. The server says it in English, and knows most. */
export function problemText({ code, message }) {
  return `${say(`problem.${code}`) || message} ${say(`next.${code}`)}`;
}

/** Puts a name into a row, in two: a narrow row cuts it in the middle and keeps its ending. */
export function nameInto(row, name) {
  const letters = Array.from(name);
  const at = Math.max(0, letters.length - 10);
  row.querySelector(".head").textContent = letters.slice(0, at).join("");
  row.querySelector(".tail").textContent = letters.slice(at).join("");
}

class Row {
  state = "ready";
  attempt = uuid();
  stop = null;

  constructor(file, files) {
    this.file = file;
    this.files = files;
    this.home = files.home;
    this.element = this.home.row.content.firstElementChild.cloneNode(true);
    this.size = sizeText(file.size);
    nameInto(this.element, file.name);
    const progress = this.part("progress");
    progress.setAttribute("aria-label", file.name);
    for (const [name, act] of [
      ["retry", () => { this.become("queued"); files.send(); }],
      ["remove", () => files.remove(this)],
      ["cancel", () => this.stop?.abort()],
    ]) {
      const button = this.part(`.${name}`);
      button.setAttribute("aria-label", `${button.textContent.trim()} ${file.name}`);
      button.addEventListener("click", act);
    }
    this.preview();
    this.become("ready");
    const { maxBytes } = this.home;
    if (file.size > maxBytes) {
      const max = sizeText(maxBytes);
      this.fail(say("script.too_large", { name: file.name, size: this.size, max }), "hopeless");
    }
    this.home.list.append(this.element);
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  preview() {
    if (!this.file.type.startsWith("image/")) return;
    const picture = this.part("img");
    const url = URL.createObjectURL(this.file);
    picture.onload = () => {
      picture.hidden = false;
      URL.revokeObjectURL(url);
    };
    // Not every browser draws every format; the sheet of paper stays then.
    picture.onerror = () => URL.revokeObjectURL(url);
    picture.src = url;
  }

  become(state) {
    const isSending = state === "sending";
    const hadFocus = this.element.contains(document.activeElement);
    this.state = state;
    this.element.dataset.state = state;
    this.part("progress").hidden = !isSending;
    this.part(".cancel").hidden = !isSending;
    this.part(".retry").hidden = state !== "failed" && state !== "stopped";
    this.part(".remove").hidden = isSending || state === "checking" || state === "sent";
    this.part(".chip").hidden = true;
    this.part(".why").textContent = "";
    const details = {
      queued: "script.queued", checking: "script.sent", sent: "script.sent", sending: "script.starting",
    };
    const detail = details[state];
    const done = sizeText(0);
    this.part(".file-size").textContent = detail ? say(detail, { size: this.size, done }) : this.size;
    if (hadFocus) this.focus();
    this.home.changed();
  }

  /** Shows how its check stands. */
  mark(scan) {
    const chip = this.part(".chip");
    chip.hidden = false;
    chip.dataset.scan = scan;
    chip.textContent = say(`script.scan_${scan}`);
  }

  /** The server has all of it and is checking it: there is nothing to cancel any more. */
  isAwaited() {
    if (this.part("progress").value < 100) return;
    this.part(".cancel").hidden = true;
    this.mark("pending");
  }

  /** The file is there; `scan` is what came of its check. */
  arrive(scan) {
    const wasChecked = this.state === "checking";
    this.become("sent");
    if (wasChecked || scan === "clean") this.mark(scan);
    this.home.announce(say("script.said_sent", { name: this.file.name }));
  }

  refuse(error) {
    this.fail(problemText(error), HOPELESS.has(error.code) ? "hopeless" : "failed");
  }

  /** `state` is `failed`, `stopped` or `hopeless`. */
  fail(why, state = "failed") {
    this.become(state);
    this.part(".why").textContent = why;
  }

  focus() {
    (this.part("button:not([hidden])") ?? this.home.submit).focus();
  }

  hears({ sent, speed }) {
    const { size } = this.file;
    const percent = size ? Math.floor((sent * 100) / size) : 0;
    const progress = this.part("progress");
    const quarter = Math.floor(percent / 25);
    if (quarter > Math.floor(progress.value / 25) && quarter < 4) {
      this.home.announce(say("script.said_percent", { percent: quarter * 25 }));
    }
    progress.value = percent;
    const values = { size: this.size, done: sizeText(sent) };
    let word = "script.starting";
    if (sent >= size) {
      word = "script.storing";
    } else if (speed) {
      word = "script.sending";
      values.speed = sizeText(speed);
      values.left = timeText((size - sent) / speed);
    }
    this.part(".file-size").textContent = say(word, values);
  }

  async send() {
    const { home } = this;
    this.become("sending");
    this.part("progress").value = 0;
    home.announce(say("script.said_sending", { name: this.file.name }));
    this.stop = new AbortController();
    const told = (news) => this.hears(news);
    const result = await home.send(this.file, home.note(), this.attempt, this.stop.signal, told);
    this.stop = null;
    // It was taken back.
    if (this.state !== "sending") return;
    if (result.scan === "pending") {
      this.media = result.media;
      this.become("checking");
      this.mark("pending");
      home.announce(say("script.said_checking", { name: this.file.name }));
      home.checking();
    } else if (result.ok) {
      this.arrive(result.scan);
      await home.stored();
    } else if (CLOSED[result.code]) {
      await home.closed(this, result);
    } else if (result.code) {
      this.refuse(result);
    } else {
      this.fail(say(result.word), result.word === "script.stopped" ? "stopped" : "failed");
    }
  }
}

/**
 * The files of one request. `home` is what is around them: the elements `list`, `row` (a template) and
 * `submit`; `maxFiles` and `maxBytes` of the link; and what it does: `send` sends one as that of
 * `file.js`, `note()` gives the person's words, `notice(text)` and `announce(text)` show and tell,
 * `changed()`, `removed()`, `checking()`, `stored()` and `closed(row, refusal)` hear what came of the files.
 */
export class Files {
  /** @type {Row[]} */
  rows = [];
  isSending = false;
  /** What the server last said of the files, from whatever page they came. */
  told = { stored: 0, receiving: 0, checking: 0 };

  constructor(home) {
    this.home = home;
  }

  /** Takes what was chosen, dropped or pasted. */
  take(files) {
    const { maxFiles, notice, announce, submit } = this.home;
    notice("");
    if (maxFiles === 1) {
      if (this.isSending || this.are("checking")) return;
      for (const row of this.rows) row.element.remove();
      this.rows = [];
    }
    const taken = this.rows.length - this.are("sent") + this.stored();
    const room = Math.max(0, maxFiles - taken);
    if (files.length > room) notice(room ? say("script.too_many", { n: room }) : say("script.full"));
    const added = Array.from(files).slice(0, room).map((file) => new Row(file, this));
    if (!added.length) return;
    this.rows.push(...added);
    const last = added.at(-1);
    this.home.changed();
    if (last.state === "ready") {
      announce(say("script.said_chosen", { name: last.file.name }));
      submit.focus();
    }
  }

  remove(row) {
    row.element.remove();
    this.rows = this.rows.filter((other) => other !== row);
    this.home.announce(say("script.said_removed", { name: row.file.name }));
    this.home.changed();
    this.home.removed();
  }

  /** How many rows are in one of these states. */
  are(...states) {
    return this.rows.filter(({ state }) => states.includes(state)).length;
  }

  /** How many files are there. What this page was answered, the events may have yet to tell. */
  stored() {
    return Math.max(this.told.stored, this.are("sent"));
  }

  isFull() {
    // The events may lag behind the answers: one file must not be counted as checked and as sent.
    const there = Math.max(this.told.stored + this.told.checking, this.are("sent", "checking"));
    return there >= this.home.maxFiles;
  }

  isChecking() {
    return this.told.checking > 0 || this.are("checking") > 0;
  }

  /** What comes from elsewhere just now, as the key of its text. */
  elsewhere() {
    // What this page itself has begun may still look alive.
    if (this.told.receiving && !this.are("sending", "failed", "stopped")) return "script.elsewhere";
    return this.told.checking > this.are("sending", "checking") ? "script.elsewhere_checking" : "";
  }

  waiting() {
    return this.rows.filter((row) => row.state === "ready" || row.state === "queued");
  }

  async send() {
    if (this.isSending) return;
    this.isSending = true;
    for (const row of this.waiting()) row.become("queued");
    const next = () => this.rows.find(({ state }) => state === "queued");
    // What is added in the meantime waits for its own Send.
    for (let row; (row = next()); ) await row.send();
    this.isSending = false;
    this.home.changed();
    this.rows.find(({ state }) => state === "failed" || state === "stopped")?.focus();
  }

  /** Takes back what is in one of these states: no more of it leaves before another Send. */
  halt(...states) {
    for (const row of this.rows.filter(({ state }) => states.includes(state))) {
      row.stop?.abort();
      row.become("ready");
    }
  }

  /** Hears what the server tells of the files while the link is open. */
  hear({ files, media, last_error: error }) {
    this.told = files;
    if (files.checking) this.rows.find(({ state }) => state === "sending")?.isAwaited();
    for (const row of this.rows.filter(({ state }) => state === "checking")) {
      const file = media.find(({ media_id }) => media_id === row.media);
      // A file that was blocked is none any more. Of several reasons only the last is told, which may
      // be another file's.
      if (file && file.scan_status !== "pending") row.arrive(file.scan_status);
      else if (!file && CHECKS.has(error?.code)) row.refuse(error);
      else if (!file) row.fail(say("script.blocked"));
    }
    this.home.changed();
  }
}
