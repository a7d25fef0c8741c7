// The page with a script: files as rows, with their progress. Without it the form works by itself,
// and how it ended is always the server's to show: this page then opens its link again.

import { sendDirect } from "./direct.js";
import { send } from "./file.js";
import { Files, hasCome } from "./files.js";
import { follow } from "./follow.js";
import { open } from "./ways.js";
import { say, speak } from "./words.js";

const find = (selector, inside = document) => inside.querySelector(selector);
const root = document.documentElement;
const form = find("form.send");
const input = find("#media");
const note = find(".note", form);
const submit = find(".primary", form);
const done = find("form.done");
const { events, grants, maxFiles, maxBytes, secondsLeft } = form.dataset;

let isLeaving = false;
let beginAnew;

const files = new Files({
  list: find(".files"),
  row: find("#row"),
  submit,
  maxFiles: Number(maxFiles),
  maxBytes: Number(maxBytes),
  send: (...file) => (grants ? sendDirect(grants, form.action, ...file) : send(form.action, ...file)),
  note: () => find("#description").value.trim(),
  notice: (text) => { find(".notice").textContent = text; },
  announce,
  changed: refresh,
  removed: () => input.focus(),
  // Begun anew, the events tell at first how it stands now, and then the verdict.
  checking: () => beginAnew(),
  stored: () => (maxFiles === "1" ? leave() : leaveIfOver()),
  closed: leave,
});

/** Tells screen readers. */
function announce(text) {
  find(".said").textContent = text;
}

/** What depends on all rows. */
function refresh() {
  const ready = files.waiting().length;
  const { isSending } = files;
  root.dataset.files = files.rows.length;
  const isIdle = !ready && !isSending;
  submit.disabled = isSending || (!ready && files.rows.length > 0);
  submit.textContent = isSending
    ? say("script.busy")
    : ready > 1 ? say("script.send_several", { n: ready }) : say("script.send");
  submit.hidden = note.hidden = isIdle && (files.isChecking() || files.stored() > 0);
  for (const way of form.querySelectorAll(".drop, .camera")) way.hidden = files.isFull();
  if (!done) return;
  find(".progress", form).textContent = say("script.count", { sent: files.stored(), max: maxFiles });
  done.hidden = submit.hidden ? files.isChecking() : true;
}

async function sendAll() {
  await files.send();
  // The button that had the focus is gone.
  if (done && document.activeElement === document.body) find("button", done).focus();
}

// How it ended

/** Sends nothing more: the page is about to go. */
function depart() {
  isLeaving = true;
  files.halt("queued", "sending");
}

/** Opens the link again, which shows how it stands. */
function leave() {
  depart();
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

function heard(news) {
  if (news.status !== "pending") {
    // Where this page has just sent the file, it waits for its receipt.
    if (!files.isSending || !hasCome(news.status)) leave();
    return;
  }
  files.hear(news);
  const elsewhere = find(".elsewhere");
  const what = files.elsewhere();
  elsewhere.hidden = !what;
  find("span", elsewhere).textContent = what && say(what);
  const bar = find("progress", elsewhere);
  bar.hidden = what !== "script.elsewhere";
  const { received_bytes: received, size_bytes: size } = news;
  if (size) bar.value = Math.min(100, (received * 100) / size);
  else bar.removeAttribute("value");
}

function countDown() {
  const end = Date.now() + Number(secondsLeft) * 1000;
  const text = find(".time-left");
  let isTold = false;
  const time = find(".limits time");
  const clock = { hour: "2-digit", minute: "2-digit", numberingSystem: "latn" };
  // The page's language, as it is spoken where the person lives.
  const own = navigator.languages.find((tag) => tag.startsWith(root.lang)) ?? root.lang;
  time.textContent = new Date(time.dateTime).toLocaleTimeString(own, clock);
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const [minutes, seconds] = [Math.floor(left / 60), left % 60];
    if (minutes < 2) {
      text.textContent = `${minutes}:${String(seconds).padStart(2, "0")}`;
    } else if (minutes < 120) {
      text.textContent = say("units.minutes", { n: Math.ceil(left / 60) });
    } else {
      text.textContent = say("units.hours", { n: Math.floor(minutes / 60) });
    }
    text.classList.toggle("soon", left <= 60);
    if (left <= 60 && !isTold) {
      isTold = true;
      announce(say("script.said_minute"));
    }
    // The server's clock decides, and a try that failed late may have earned more time.
    const over = Math.floor((Date.now() - end) / 1000);
    if (over > 0 && over % 5 === 1 && !files.isSending) leaveIfOver();
  };
  setInterval(tick, 1000);
  tick();
}

function listen() {
  open(
    [input, find("#camera")].filter(Boolean),
    (chosen) => files.take(chosen),
    (text) => files.home.notice(text),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (files.waiting().length) sendAll();
    else input.click();
  });
  addEventListener("beforeunload", (event) => {
    if (files.isSending && !isLeaving) event.preventDefault();
  });
  for (const other of document.forms) {
    if (other !== form) other.addEventListener("submit", depart);
  }
  // A page that comes back from the browser's memory is out of date.
  addEventListener("pageshow", (event) => event.persisted && leave());
}

speak(root.lang, JSON.parse(find("#phrases").textContent));
root.classList.add("js");
input.multiple = maxFiles !== "1";
input.required = false;
listen();
countDown();
beginAnew = follow(events, heard).begin;
beginAnew();
