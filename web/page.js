// The page with a script: files as rows, with their progress. Without it the form works by itself,
// and how it ended is always the server's to show: this page then opens its link again.

import { sendDirect } from "./direct.js";
import { send, uuid } from "./file.js";

const find = (selector, inside = document) => inside.querySelector(selector);
const form = find("form.send");
const input = find("#media");
const list = find(".files");
const note = find(".note", form);
const submit = find(".primary", form);
const done = find("form.done");
const maxFiles = Number(form.dataset.maxFiles);
const maxBytes = Number(form.dataset.maxBytes);

/** These mean that the link is closed, and the server has a page for each. */
const CLOSED = new Set([
  "ALREADY_USED", "LINK_EXPIRED", "DECLINED", "CANCELLED", "NOT_FOUND", "LINK_INVALID",
]);
/** These are the file's own fault: the same one again fares no better. */
const HOPELESS = new Set([
  "SIZE_EXCEEDED", "MIME_NOT_ALLOWED", "FILE_MISSING", "IMAGE_TOO_LARGE", "SCAN_BLOCKED",
]);

/** What a check can say. */
const CHECKS = new Set(["SCAN_BLOCKED", "MALFORMED_BODY", "IMAGE_TOO_LARGE", "INSUFFICIENT_STORAGE"]);

/** @type {Row[]} */
let rows = [];
let isSending = false;
let isLeaving = false;
/** What the server last said of the files, from whatever page they came. */
let told = { stored: 0, checking: 0 };
/** @type {EventSource} */
let events;

// Words

const words = new Map(
  Array.from(find("#words").content.children, (word) => [word.dataset.word, word.textContent]),
);

function say(word, values = {}) {
  return (words.get(word) ?? "").replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** As the server says sizes. */
function sizeText(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let power = 0;
  // Just below a unit, the unit says it better: never 1024 KB.
  while (bytes >= 1023 && power < units.length - 1) {
    bytes /= 1024;
    power += 1;
  }
  return `${Number(bytes.toFixed(power && bytes < 99.95 ? 1 : 0))} ${units[power]}`;
}

function timeText(seconds) {
  return seconds < 90
    ? say("seconds", { n: Math.max(1, Math.ceil(seconds)) })
    : say("minutes", { n: Math.ceil(seconds / 60) });
}

/** A name in two, so that a narrow row cuts it in the middle and keeps its ending. */
function halves(name) {
  const letters = Array.from(name);
  const at = Math.max(0, letters.length - 10);
  return [letters.slice(0, at).join(""), letters.slice(at).join("")];
}

/** Tells screen readers. */
function announce(text) {
  find(".said").textContent = text;
}

// Rows

class Row {
  state = "ready";
  attempt = uuid();
  stop = null;

  constructor(file) {
    this.file = file;
    this.element = find("#row").content.firstElementChild.cloneNode(true);
    this.size = sizeText(file.size);
    const [head, tail] = halves(file.name);
    this.part(".head").textContent = head;
    this.part(".tail").textContent = tail;
    const progress = this.part("progress");
    progress.setAttribute("aria-label", file.name);
    for (const [name, act] of [
      ["retry", () => { this.become("queued"); sendAll(); }],
      ["remove", () => remove(this)],
      ["cancel", () => this.stop?.abort()],
    ]) {
      const button = this.part(`.${name}`);
      button.setAttribute("aria-label", `${button.textContent.trim()} ${file.name}`);
      button.addEventListener("click", act);
    }
    this.preview();
    this.become("ready");
    if (file.size > maxBytes) {
      const max = sizeText(maxBytes);
      this.fail(say("too-large", { name: file.name, size: this.size, max }), "hopeless");
    }
    list.append(this.element);
  }

  part(selector) {
    return find(selector, this.element);
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
    const detail = { queued: "queued", checking: "sent", sent: "sent", sending: "starting" }[state];
    const done = sizeText(0);
    this.part(".file-size").textContent = detail ? say(detail, { size: this.size, done }) : this.size;
    if (hadFocus) this.focus();
    refresh();
  }

  /** Shows how its check stands. */
  mark(scan) {
    const chip = this.part(".chip");
    chip.hidden = false;
    chip.dataset.scan = scan;
    chip.textContent = say(`scan-${scan}`);
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
    announce(say("said-sent", { name: this.file.name }));
  }

  refuse({ code, message }) {
    this.fail(`${message} ${say(code)}`, HOPELESS.has(code) ? "hopeless" : "failed");
  }

  /** `state` is `failed`, `stopped` or `hopeless`. */
  fail(why, state = "failed") {
    this.become(state);
    this.part(".why").textContent = why;
  }

  focus() {
    (this.part("button:not([hidden])") ?? submit).focus();
  }

  hears({ sent, speed }) {
    const { size } = this.file;
    const percent = size ? Math.floor((sent * 100) / size) : 0;
    const progress = this.part("progress");
    const quarter = Math.floor(percent / 25);
    if (quarter > Math.floor(progress.value / 25) && quarter < 4) {
      announce(say("said-percent", { percent: quarter * 25 }));
    }
    progress.value = percent;
    const values = { size: this.size, done: sizeText(sent) };
    let word = "starting";
    if (sent >= size) {
      word = "storing";
    } else if (speed) {
      word = "sending";
      values.speed = sizeText(speed);
      values.left = timeText((size - sent) / speed);
    }
    this.part(".file-size").textContent = say(word, values);
  }

  async send() {
    this.become("sending");
    this.part("progress").value = 0;
    announce(say("said-sending", { name: this.file.name }));
    this.stop = new AbortController();
    const words = find("#description").value.trim();
    const { grants } = form.dataset;
    const way = grants ? sendDirect.bind(null, grants) : send;
    const result = await way(
      form.action, this.file, words, this.attempt, this.stop.signal, (news) => this.hears(news),
    );
    this.stop = null;
    if (result.scan === "pending") {
      this.media = result.media;
      this.become("checking");
      this.mark("pending");
      announce(say("said-checking", { name: this.file.name }));
      // Begun anew, the events tell at first how it stands now, and then the verdict.
      follow();
    } else if (result.ok) {
      this.arrive(result.scan);
      if (maxFiles === 1) leave();
      else await leaveIfOver();
    } else if (CLOSED.has(result.code)) {
      leave();
    } else if (result.code) {
      this.refuse(result);
    } else {
      this.fail(say(result.word), result.word === "stopped" ? "stopped" : "failed");
    }
  }
}

function remove(row) {
  row.element.remove();
  rows = rows.filter((other) => other !== row);
  announce(say("said-removed", { name: row.file.name }));
  refresh();
  input.focus();
}

/** Takes what was chosen, dropped or pasted. */
function take(files) {
  const notice = find(".notice");
  notice.textContent = "";
  if (maxFiles === 1) {
    if (isSending || are("checking")) return;
    for (const row of rows) row.element.remove();
    rows = [];
  }
  const taken = rows.length - are("sent") + stored();
  const room = Math.max(0, maxFiles - taken);
  if (files.length > room) notice.textContent = say("too-many", { n: room });
  const added = Array.from(files).slice(0, room).map((file) => new Row(file));
  if (!added.length) return;
  rows.push(...added);
  const last = added.at(-1);
  refresh();
  if (last.state === "ready") {
    announce(say("said-chosen", { name: last.file.name }));
    submit.focus();
  }
}

/** How many rows are in one of these states. */
function are(...states) {
  return rows.filter(({ state }) => states.includes(state)).length;
}

/** How many files are there. What this page was answered, the events may have yet to tell. */
function stored() {
  return Math.max(told.stored, are("sent"));
}

function waiting() {
  return rows.filter((row) => row.state === "ready" || row.state === "queued");
}

/** What depends on all rows. */
function refresh() {
  const ready = waiting().length;
  document.documentElement.dataset.files = rows.length;
  const isChecking = told.checking > 0 || are("checking") > 0;
  const isIdle = !ready && !isSending;
  submit.disabled = isSending || (!ready && rows.length > 0);
  submit.textContent = isSending ? say("busy") : ready > 1 ? say("send-many", { n: ready }) : say("send");
  submit.hidden = note.hidden = isIdle && (isChecking || stored() > 0);
  // The events may lag behind the answers: one file must not be counted as checked and as sent.
  const isFull = Math.max(told.stored + told.checking, are("sent", "checking")) >= maxFiles;
  for (const way of form.querySelectorAll(".drop, .camera")) way.hidden = isFull;
  if (!done) return;
  find(".progress", form).textContent = say("count", { n: stored(), max: maxFiles });
  done.hidden = submit.hidden ? isChecking : true;
}

async function sendAll() {
  if (isSending) return;
  isSending = true;
  for (const row of waiting()) row.become("queued");
  // What is added in the meantime waits for its own Send.
  for (let row; (row = rows.find(({ state }) => state === "queued")); ) await row.send();
  isSending = false;
  refresh();
  const failed = rows.find(({ state }) => state === "failed" || state === "stopped");
  if (failed) failed.focus();
  // The button that had the focus is gone.
  else if (done && document.activeElement === document.body) find("button", done).focus();
}

// How it ended

/** Opens the link again, which shows how it stands. */
function leave() {
  isLeaving = true;
  location.replace(form.action);
}

async function leaveIfOver() {
  try {
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if ((await answer.json()).status !== "pending") leave();
  } catch {
    // The events tell it too.
  }
}

function follow() {
  events?.close();
  const stream = new EventSource(form.dataset.events);
  events = stream;
  stream.onerror = () => {
    // Refused, and the browser does not try again: the server was busy.
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 5_000);
  };
  stream.onmessage = ({ data }) => {
    const { status, files, media, received_bytes, size_bytes, last_error } = JSON.parse(data);
    if (status !== "pending") {
      stream.close();
      // Where this page has just sent the file, it waits for its receipt.
      if (!isSending) leave();
      return;
    }
    told = files;
    judge(media, last_error);
    const elsewhere = find(".elsewhere");
    // What this page itself has begun may still look alive.
    const isArriving = files.receiving && !are("sending", "failed", "stopped");
    const isChecking = files.checking > are("sending", "checking");
    elsewhere.hidden = !isArriving && !isChecking;
    const word = isArriving ? "elsewhere" : "elsewhere-checking";
    find("span", elsewhere).textContent = elsewhere.hidden ? "" : say(word);
    const bar = find("progress", elsewhere);
    bar.hidden = !isArriving;
    if (size_bytes) bar.value = Math.min(100, (received_bytes * 100) / size_bytes);
    else bar.removeAttribute("value");
    refresh();
  };
}

/** Tells the rows what came of their checks. A file that was blocked is none any more. */
function judge(media, error) {
  if (told.checking) rows.find(({ state }) => state === "sending")?.isAwaited();
  for (const row of rows.filter(({ state }) => state === "checking")) {
    const file = media.find(({ media_id }) => media_id === row.media);
    // Of several reasons only the last is told, which may be another file's.
    if (!file) row.refuse(CHECKS.has(error?.code) ? error : { message: say("blocked"), code: "" });
    else if (file.scan_status !== "pending") row.arrive(file.scan_status);
  }
}

function countDown() {
  const end = Date.now() + Number(form.dataset.secondsLeft) * 1000;
  const text = find(".time-left");
  let isTold = false;
  const time = find(".limits time");
  const clock = { hour: "2-digit", minute: "2-digit" };
  time.textContent = new Date(time.dateTime).toLocaleTimeString([], clock);
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const [minutes, seconds] = [Math.floor(left / 60), left % 60];
    if (minutes < 2) {
      text.textContent = `${minutes}:${String(seconds).padStart(2, "0")}`;
    } else if (minutes < 120) {
      text.textContent = say("time-minutes", { n: Math.ceil(left / 60) });
    } else {
      text.textContent = say("time-hours", { n: Math.floor(minutes / 60) });
    }
    text.classList.toggle("soon", left <= 60);
    if (left <= 60 && !isTold) {
      isTold = true;
      announce(say("said-minute"));
    }
    // The server's clock decides, and a try that failed late may have earned more time.
    const over = Math.floor((Date.now() - end) / 1000);
    if (over > 0 && over % 5 === 1 && !isSending) leaveIfOver();
  };
  setInterval(tick, 1000);
  tick();
}

// Ways in

function dropped(transfer) {
  const items = Array.from(transfer.items ?? []);
  if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) {
    find(".notice").textContent = say("folder");
    return;
  }
  if (transfer.files.length) take(transfer.files);
}

function listen() {
  for (const field of [input, find("#camera")]) {
    field?.addEventListener("change", () => {
      if (field.files.length) take(field.files);
      // The same file can be chosen again.
      field.value = "";
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (waiting().length) sendAll();
    else input.click();
  });
  addEventListener("paste", (event) => {
    const { files } = event.clipboardData;
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });

  const root = document.documentElement;
  let depth = 0;
  const over = (change) => {
    depth = Math.max(0, change ? depth + change : 0);
    root.classList.toggle("dropping", depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => hasFiles(event) && over(1));
  addEventListener("dragleave", (event) => hasFiles(event) && over(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(0);
    dropped(event.dataTransfer);
  });

  addEventListener("beforeunload", (event) => {
    if (isSending && !isLeaving) event.preventDefault();
  });
  for (const other of document.forms) {
    if (other !== form) other.addEventListener("submit", () => { isLeaving = true; });
  }
  // A page that comes back from the browser's memory is out of date.
  addEventListener("pageshow", (event) => event.persisted && leave());
}

document.documentElement.classList.add("js");
input.multiple = maxFiles > 1;
input.required = false;
listen();
countDown();
follow();
