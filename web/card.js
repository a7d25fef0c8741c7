// The card in a chat: what the page does, inside the conversation. How it ended is told to the model.

import { send } from "./file.js";
import { CLOSED, Files, hasCome, nameInto, problemText } from "./files.js";
import { follow } from "./follow.js";
import { PATIENCE, ask, on, soon, tell } from "./host.js";
import { open } from "./ways.js";
import { say, sizeText, speak } from "./words.js";

const find = (selector, inside = document) => inside.querySelector(selector);
const root = document.documentElement;
const main = find("main");
const sending = find(".send");
const submit = find(".primary", sending);
const done = find(".done");
const decline = find(".decline");
const own = JSON.parse(find("#phrases").textContent);

/** The rule that makes it dark: where the browser likes that, until the host says what it likes. */
const rules = Array.from(find("#style").sheet?.cssRules ?? []);
const dark = rules.find(({ media }) => media?.mediaText.includes("dark"));

/** How often it is asked how a request stands whose link is not followed, in milliseconds. */
const LOOK_AGAIN = 5_000;

/** What the host can do, and in what language it speaks. */
let can = {};
let locale = "en";
/** What the tool answered. */
let session = {};
let status = "pending";
/** @type {Files} */
let files;
/** Follows the link, with ways to begin and to stop. */
let events;
/** Whether the person sees the card, and whether it just has something on the way. */
let isSeen = false;
let isBusy = false;
/** Why the last file was refused, from whatever page it came. */
let refusal;
/** How it ended, while it is held back: what this card has just sent waits for its receipt. */
let held;
/** Whether the host forbids the card to reach the link. */
let isForbidden = false;
/** Whether this card has seen it open: else its end is no news. */
let wasOpen = false;
/** Whether the person has begun to send a file here, or pressed one of the buttons. */
let isOwn = false;

// How it looks

/** Shows one part of the card: `loading`, `open`, `blocked` or `ended`. */
function show(part) {
  const wasLoading = main.dataset.part === "loading";
  main.dataset.part = part;
  for (const one of main.querySelectorAll("[data-part]")) one.hidden = one.dataset.part !== part;
  // Who was in what is gone now goes on in what has come.
  if (wasLoading || !document.hasFocus()) return;
  find(`div[data-part="${part}"] :is(input, .open-page, .how)`)?.focus({ preventScroll: true });
}

/** Tells screen readers. */
function announce(text) {
  find(".said").textContent = text;
}

/** Says everything in this language. */
function sayAll(language, texts) {
  speak(language, texts);
  root.lang = language;
  root.dir = language === "ar" ? "rtl" : "ltr";
  for (const inside of [document, find("#row").content]) {
    for (const one of inside.querySelectorAll("[data-say]")) one.textContent = say(one.dataset.say);
  }
}

function speakOwn() {
  const language = locale.split("-")[0];
  const known = own[language] ? language : "en";
  sayAll(known, own[known]);
}

/** As the host looks: light or dark, and in its letters. */
function look({ theme, styles, locale: spoken }) {
  if (theme) {
    root.style.colorScheme = theme;
    if (dark) dark.media.mediaText = theme === "dark" ? "all" : "not all";
  }
  for (const [name, value] of Object.entries(styles?.variables ?? {})) {
    if (value) root.style.setProperty(name, value);
  }
  // It goes into a header.
  if (spoken && /^[\w-]+$/.test(spoken)) locale = spoken.toLowerCase().replaceAll("_", "-");
}

/** Shows the agent's words, without characters that reorder or hide what stands around them. */
function quote(prompt) {
  const words = (prompt ?? "").replace(/(?!\n)[\p{Cc}\p{Cf}\u2028\u2029]/gu, "").trim();
  find("blockquote").textContent = words;
  find(".quote").hidden = !words;
}

// The request

/** An address below the link. */
function below(what) {
  const url = new URL(session.upload_url);
  url.pathname += what;
  return url.href;
}

/** What the link says of itself, with `how` it stands; nothing where that is not clear. */
async function askLink() {
  const headers = { "Accept-Language": locale };
  try {
    const answer = await fetch(below("/card"), { headers, signal: AbortSignal.timeout(PATIENCE) });
    const facts = await answer.json();
    const how = answer.ok ? facts.status : CLOSED[facts.code];
    return how && { ...facts, how };
  } catch {
    return null;
  }
}

async function begin({ structuredContent, isError }) {
  // What the host can do, and in what language, should be known.
  await soon(ready).catch(() => {});
  // Some hosts tell it twice.
  if (session.upload_id || status !== "pending") return;
  if (isError || !structuredContent?.upload_url) {
    const { code, message } = structuredContent ?? {};
    return end(CLOSED[code] ?? "failed", message);
  }
  session = structuredContent;
  while (status === "pending") {
    const facts = isForbidden ? null : await askLink();
    if (facts?.texts) sayAll(facts.language, facts.texts);
    if (facts) return facts.how === "pending" ? start(facts) : end(facts.how);
    const known = await askStatus();
    const how = known?.status ?? CLOSED[known?.code] ?? session.status;
    if (how !== "pending") return end(how);
    if (known?.ok) wasOpen = true;
    showWayOut();
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}

/**
 * Follows the link while the card is seen, or the person waits for a verdict, and has nothing on the way: all
 * cards share six connections.
 */
function attend(busy = isBusy) {
  isBusy = busy;
  const isWanted = isSeen || files?.are("checking");
  if (isWanted && !isBusy && status === "pending") events?.begin();
  else events?.stop();
}

async function sendOne(file, note, attempt, signal, told) {
  // Whatever comes of it: the answer may be lost.
  isOwn = true;
  attend(true);
  // It is not followed meanwhile, and may be closed from elsewhere.
  const look = setInterval(endIfOver, LOOK_AGAIN);
  const result = await send(session.upload_url, file, note, attempt, signal, (news) => {
    told(news);
    // It may be checked before it is answered.
    if (isBusy && news.sent >= file.size) attend(false);
  });
  clearInterval(look);
  if (isBusy) attend(false);
  return result;
}

function start({ prompt, limits, accepted }) {
  const { max_files: maxFiles, max_size_bytes: maxBytes, allowed_mime_types: types } = limits;
  const many = maxFiles > 1;
  quote(prompt);
  const input = find("#media");
  input.multiple = many;
  input.accept = types.includes("*/*") ? "" : types.join(",");
  const photos = ["*/*", "image/*", "image/jpeg", "image/png"];
  if (!types.some((type) => photos.includes(type))) find(".camera").remove();
  if (many) find(".drop-ways").textContent = say("card.ways_several");
  find(".drop-choose").textContent = say(many ? "page.choose_several" : "page.choose");
  const most = say(many ? "page.up_to_each" : "page.up_to", { size: sizeText(maxBytes) });
  find(".takes").textContent = `${accepted} · ${most}`;
  files = new Files({
    list: find(".files", sending),
    row: find("#row"),
    submit,
    maxFiles,
    maxBytes,
    send: sendOne,
    note: () => "",
    notice: (text) => { find(".notice", sending).textContent = text; },
    announce,
    changed: refresh,
    removed: () => input.focus(),
    // Begun anew, the events tell at first how it stands now, and then the verdict.
    checking: () => attend(),
    stored: () => (many ? files.isFull() && !files.isChecking() && endIfOver() : end("completed")),
    // Another device may still send to it, where it takes nothing more: how that ends is heard.
    closed: async (row, why) => (await endIfOver()) || row.refuse(why),
  });
  open([input, find("#camera")].filter(Boolean), (chosen) => files.take(chosen), files.home.notice);
  wasOpen = true;
  show("open");
  refresh();
  events = follow(below("/events"), hear);
  new IntersectionObserver((seen) => {
    isSeen = seen.at(-1).isIntersecting;
    attend();
  }).observe(main);
}

function hear(news) {
  if (news.status === "pending") {
    refusal = news.last_error;
    files.hear(news);
  } else if (files.isSending && hasCome(news.status)) {
    held = news.status;
    files.halt("queued");
  } else {
    end(news.status);
  }
}

/** What depends on all rows. */
function refresh() {
  if (held && !files.isSending) return end(held);
  const ready = files.waiting().length;
  const isIdle = !ready && !files.isSending;
  root.dataset.files = files.rows.length;
  submit.disabled = files.isSending;
  const does = ready > 1 ? "script.send_several" : "script.send";
  submit.textContent = say(files.isSending ? "script.busy" : does, { n: ready });
  submit.hidden = isIdle;
  for (const way of sending.querySelectorAll(".drop, .camera")) way.hidden = files.isFull();
  done.hidden = !(isIdle && files.stored() && !files.isFull() && !files.isChecking());
  const line = find(".elsewhere");
  line.textContent = standing();
  line.hidden = !line.textContent;
}

/** What the rows do not tell: how many files there are, what other pages do, what was refused before. */
function standing() {
  const [sent, max, what] = [files.stored(), files.home.maxFiles, files.elsewhere()];
  return [
    sent && max > 1 && say("script.count", { sent, max }),
    // After a reload, the file that is checked may be the person's own.
    what && say(what === "script.elsewhere" ? what : "page.checking", { n: files.told.checking }),
    !what && !files.rows.length && refusal && problemText(refusal),
  ].filter(Boolean).join(" · ");
}

/** Ends if the link is over, and tells whether it is. */
async function endIfOver() {
  const how = (await askLink())?.how ?? "pending";
  if (how !== "pending") hear({ status: how });
  return how !== "pending";
}

/** Presses one of the link's two buttons; what goes wrong is said beside it. */
async function press(place, what, fields, then) {
  const notice = find(".notice", place);
  const headers = { Accept: "application/json" };
  const [body, signal] = [new URLSearchParams(fields), AbortSignal.timeout(PATIENCE)];
  notice.textContent = "";
  isOwn = true;
  files.halt("queued", "sending");
  attend(true);
  try {
    const answer = await fetch(below(what), { method: "POST", headers, body, signal });
    if (answer.ok) end(then);
    else notice.textContent = problemText(await answer.json());
  } catch {
    notice.textContent = say("card.cut");
  }
  attend(false);
}

// How it ended

async function end(how, why) {
  if (status !== "pending") return;
  status = how;
  attend();
  files?.halt("queued", "sending");
  const isGood = hasCome(how);
  const list = find(".ended .files");
  for (const row of (isGood && files?.rows) || []) {
    // What was still being checked has passed.
    if (row.state === "checking") row.arrive("clean");
    if (row.state === "sent") list.append(row.element);
  }
  const shown = list.childElementCount;
  const isShown = ({ media_id: id }) => files?.rows.some(({ media }) => media === id);
  let count = Math.max(files?.stored() ?? 0, 1);
  const tellHow = (text) => {
    find(".how").textContent = text;
    if (wasOpen) announce(text);
  };
  main.classList.toggle("good", isGood);
  if (isGood) tellHow(say("outcome.sent", { n: count }));
  else if (how !== "failed") tellHow(say(`outcome.${how}`));
  // The server says in English what is wrong with a call.
  else tellHow((root.lang === "en" && why) || say("card.failed"));
  show("ended");
  // The host may take its time.
  const known = await askStatus();
  const media = known?.result?.media;
  if (isGood && media && !(media.length === shown && media.every(isShown))) {
    count = media.length;
    list.replaceChildren(...media.map(rowOf));
    tellHow(say("outcome.sent", { n: count }));
  } else if (known?.expired_because === "retention") {
    tellHow(say("card.deleted"));
  }
  // A card that is opened again finds it ended, and has nothing to tell.
  if (!wasOpen && !isOwn) return;
  const id = session.upload_id;
  const call = `Call upload_status(upload_id="${id}") for`;
  if (isGood) {
    const text = `The person has sent what upload ${id} asked for. ${call} its handles.`;
    report(text, say("card.said_sent", { n: count }));
  } else if (how === "declined") {
    const reason = known ? known.reason : isOwn && find("#reason").value.trim();
    const text = `The person declined upload ${id}: go on without the file.`;
    report(reason ? `${text} ${call} the reason.` : text, say("card.said_declined"));
  }
}

/** A file that came from elsewhere, or before the card was opened again. */
function rowOf({ original_filename: name, original_size_bytes: bytes, scan_status: scan }) {
  const row = find("#row").content.firstElementChild.cloneNode(true);
  row.dataset.state = "sent";
  nameInto(row, name);
  find(".ways", row).remove();
  find(".file-size", row).textContent = say("script.sent", { size: sizeText(bytes) });
  const chip = find(".chip", row);
  chip.hidden = scan !== "clean";
  chip.textContent = say(`script.scan_${scan}`);
  return row;
}

/** How the request stands, by way of the host. */
async function askStatus() {
  if (!can.serverTools || !session.upload_id) return null;
  const call = { name: "upload_status", arguments: { upload_id: session.upload_id } };
  const answer = await soon(ask("tools/call", call)).catch(() => null);
  return answer?.structuredContent;
}

/**
 * Tells the model; and goes on in the person's name where it ended by what was done here, or the model is not
 * told otherwise.
 */
async function report(text, said) {
  const content = (words) => [{ type: "text", text: words }];
  if (can.updateModelContext) {
    const told = ask("ui/update-model-context", { content: content(text) });
    // The chat should know it when it goes on, which it does in any case.
    await soon(told, 1_000).catch(() => {});
  }
  if (can.message && (isOwn || !can.updateModelContext)) {
    ask("ui/message", { role: "user", content: content(said) }).catch(() => {});
  }
}

// Where the link is not reached

function showWayOut() {
  find(".cause").dataset.say = isForbidden ? "card.blocked" : "card.unreached";
  speakOwn();
  if (main.dataset.part === "blocked") return;
  find(".link").textContent = session.upload_url;
  find(".link").hidden = Boolean(can.openLinks);
  find(".open-page").hidden = !can.openLinks;
  show("blocked");
}

async function openPage() {
  isOwn = true;
  const opened = soon(ask("ui/open-link", { url: session.upload_url }));
  const answer = await opened.catch(() => ({ isError: true }));
  find(".link").hidden = !answer.isError;
}

submit.onclick = () => files.send();
find("button", done).onclick = () => press(done, "/done", {}, "completed");
find("button", decline).onclick = () => {
  press(decline, "/decline", { reason: find("#reason").value.trim() }, "declined");
};
find(".open-page").onclick = openPage;
document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
  if (effectiveDirective !== "connect-src") return;
  isForbidden = true;
  if (main.dataset.part === "blocked") showWayOut();
});

// The call whose card this is; the card's own calls are told it, too.
on("ui/notifications/tool-input", ({ arguments: given }) => {
  if (!session.upload_id && typeof given?.prompt === "string") quote(given.prompt);
});
on("ui/notifications/tool-result", begin);
on("ui/notifications/tool-cancelled", () => { if (!session.upload_id) end("failed"); });
on("ui/notifications/host-context-changed", look);
on("ui/resource-teardown", () => {});
root.classList.add("js");
speakOwn();
show("loading");
new ResizeObserver(() => {
  tell("ui/notifications/size-changed", { height: Math.ceil(main.getBoundingClientRect().height) });
}).observe(main);
const ready = ask("ui/initialize", {
  appInfo: { name: "askfile", version: "1" },
  appCapabilities: {},
  protocolVersion: "2026-01-26",
}).then(({ hostCapabilities, hostContext }) => {
  can = hostCapabilities ?? {};
  look(hostContext ?? {});
  // Late, it finds the card begun without it.
  if (!session.upload_id) speakOwn();
  tell("ui/notifications/initialized");
});
