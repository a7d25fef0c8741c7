// The card in a chat: what the page does, inside the conversation. How it ended is told to the model.

import { send } from "./file.js";
import { Files, nameInto, problemText } from "./files.js";
import { follow } from "./follow.js";
import { ask, on, tell } from "./host.js";
import { open } from "./ways.js";
import { say, sizeText, speak } from "./words.js";

const find = (selector, inside = document) => inside.querySelector(selector);
const root = document.documentElement;
const main = find("main");
const form = find("form.send");
const submit = find(".primary", form);
const done = find("form.done");
const own = JSON.parse(find("#phrases").textContent);

/** The rule that makes it dark: where the browser likes that, until the host says what it likes. */
const dark = Array.from(document.styleSheets[0].cssRules).find(({ media }) => media?.mediaText.includes("dark"));

/** How often it is asked how a request stands that cannot be followed, in milliseconds. */
const LOOK_AGAIN = 5_000;
/** How a link says that it is over. */
const OVER = {
  ALREADY_USED: "completed", LINK_EXPIRED: "expired", DECLINED: "declined", CANCELLED: "cancelled",
  LINK_INVALID: "tampered", NOT_FOUND: "unknown",
};

/** What the host can do, and in what language it speaks. */
let can = {};
let locale = "en";
/** What the tool answered. */
let session = {};
let status = "pending";
/** @type {Files} */
let files;

// How it looks

/** Shows one part of the card: `loading`, `open`, `blocked` or `ended`. */
function show(part) {
  main.dataset.part = part;
  for (const one of main.querySelectorAll("[data-part]")) one.hidden = one.dataset.part !== part;
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
    dark.media.mediaText = theme === "dark" ? "all" : "not all";
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

async function begin({ structuredContent, isError }) {
  // Some hosts tell it twice.
  if (session.upload_id || status !== "pending") return;
  if (isError || !structuredContent?.upload_url) {
    return end("failed", structuredContent?.message);
  }
  session = structuredContent;
  let facts;
  try {
    facts = await (await fetch(below("/card"), { headers: { "Accept-Language": locale } })).json();
    if (facts.texts) sayAll(facts.language, facts.texts);
  } catch {
    return blocked();
  }
  const over = facts.status ?? OVER[facts.code];
  if (over === "pending") return start(facts);
  // Its page may work by the time that it is opened.
  return over ? end(over) : blocked();
}

function start({ prompt, limits, accepted }) {
  const { max_files: maxFiles, max_size_bytes: maxBytes, allowed_mime_types: types } = limits;
  const many = maxFiles > 1;
  quote(prompt);
  const input = find("#media");
  input.multiple = many;
  input.accept = types.includes("*/*") ? "" : types.join(",");
  const takesPhotos = types.some((type) => ["*/*", "image/*", "image/jpeg", "image/png"].includes(type));
  find(".camera").hidden = !takesPhotos;
  if (many) find(".drop-ways").textContent = say("card.ways_several");
  find(".drop-choose").textContent = many ? say("page.choose_several") : say("page.choose");
  const size = sizeText(maxBytes);
  const most = many ? say("page.up_to_each", { size }) : say("page.up_to", { size });
  find(".takes").textContent = `${accepted} · ${most}`;
  files = new Files({
    list: find(".files", form),
    row: find("#row"),
    submit,
    maxFiles,
    maxBytes,
    send: (...file) => send(session.upload_url, ...file),
    note: () => "",
    notice: (text) => { find(".notice", form).textContent = text; },
    announce: (text) => { find(".said").textContent = text; },
    changed: refresh,
    removed: () => input.focus(),
    checking: () => beginAnew(),
    stored: () => !many && end("completed"),
    closed: lookAgain,
  });
  open([input, find("#camera")], (chosen) => files.take(chosen), files.home.notice);
  show("open");
  refresh();
  const beginAnew = follow(below("/events"), (news) => {
    if (news.status === "pending") files.hear(news);
    else end(news.status);
  });
}

/** What depends on all rows. */
function refresh() {
  const ready = files.waiting().length;
  const isIdle = !ready && !files.isSending;
  root.dataset.files = files.rows.length;
  submit.disabled = files.isSending;
  submit.textContent = files.isSending
    ? say("script.busy")
    : ready > 1 ? say("script.send_several", { n: ready }) : say("script.send");
  submit.hidden = isIdle;
  find(".drop").hidden = files.isFull();
  done.hidden = !(isIdle && files.stored() && !files.isFull() && !files.isChecking());
}

/** The link is closed, and says how. */
async function lookAgain(row, refusal) {
  const facts = await fetch(session.upload_url, { headers: { Accept: "application/json" } });
  const { status: now, code } = await facts.json();
  // Another device still sends to it, and it takes nothing more: how that ends is heard.
  if (now === "pending") row.refuse(refusal);
  else end(now ?? OVER[code] ?? "expired");
}

/** Presses one of the link's two buttons. */
async function press(what, fields, then) {
  const headers = { Accept: "application/json" };
  try {
    const body = new URLSearchParams(fields);
    const answer = await fetch(below(what), { method: "POST", headers, body });
    if (answer.ok) end(then);
    else find(".notice", form).textContent = problemText(await answer.json());
  } catch {
    find(".notice", form).textContent = say("script.cut");
  }
}

// How it ended

async function end(how, why) {
  if (status !== "pending") return;
  // A card that is opened again finds it ended, and has nothing to tell.
  const isNew = main.dataset.part === "open" || main.dataset.part === "blocked";
  status = how;
  const sent = how === "completed" || how === "consumed";
  const rows = files ? files.rows.filter(({ state }) => state === "sent") : [];
  find(".ended .files").replaceChildren(...rows.map(({ element }) => element));
  let count = Math.max(rows.length, files?.stored() ?? 0, 1);
  if (sent) count = (await nameSent(rows.length)) ?? count;
  main.dataset.how = sent ? "good" : "closed";
  find(".how").textContent = sent
    ? say("outcome.sent", { n: count })
    : how === "failed" ? why || say("card.failed") : say(`outcome.${how}`);
  show("ended");
  if (!isNew) return;
  const id = session.upload_id;
  if (sent) {
    const text = `The person has sent what upload ${id} asked for. Call upload_status(upload_id="${id}") `
      + "for its handles.";
    await report(text, say("card.said_sent", { n: count }));
  } else if (how === "declined") {
    await report(`The person declined upload ${id}: go on without the file.`, say("card.said_declined"));
  }
}

/** Shows what was sent where this card has not sent it itself; gives how many files there are. */
async function nameSent(shown) {
  const media = (await askStatus())?.result?.media;
  if (!media || media.length === shown) return media?.length;
  const rows = media.map(({ original_filename: name, original_size_bytes: bytes, scan_status: scan }) => {
    const row = find("#row").content.firstElementChild.cloneNode(true);
    row.dataset.state = "sent";
    nameInto(row, name);
    find(".ways", row).remove();
    find(".file-size", row).textContent = say("script.sent", { size: sizeText(bytes) });
    const chip = find(".chip", row);
    chip.hidden = scan !== "clean";
    chip.textContent = say(`script.scan_${scan}`);
    return row;
  });
  find(".ended .files").replaceChildren(...rows);
  return media.length;
}

/** How the request stands, by way of the host. */
async function askStatus() {
  if (!can.serverTools) return null;
  const call = { name: "upload_status", arguments: { upload_id: session.upload_id } };
  const answer = await ask("tools/call", call).catch(() => null);
  return answer?.structuredContent;
}

/** Tells the model, and goes on in the person's name where the host lets a card do that. */
async function report(text, said) {
  const content = (words) => [{ type: "text", text: words }];
  if (can.updateModelContext) {
    await ask("ui/update-model-context", { content: content(text) }).catch(() => {});
  }
  if (can.message) {
    await ask("ui/message", { role: "user", content: content(said) }).catch(() => {});
  }
}

// Where the host lets the card reach nobody

async function blocked() {
  if (main.dataset.part === "blocked" || status !== "pending") return;
  speakOwn();
  find(".link").textContent = session.upload_url;
  show("blocked");
  find(".link").hidden = Boolean(can.openLinks);
  while (status === "pending" && can.serverTools) {
    const { status: now, ok } = (await askStatus()) ?? {};
    if (now && now !== "pending") return end(now);
    // It is not known any more, for example.
    if (ok === false) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}

async function openPage() {
  const answer = await ask("ui/open-link", { url: session.upload_url }).catch(() => ({ isError: true }));
  find(".link").hidden = !answer.isError;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  files.send();
});
done.addEventListener("submit", (event) => {
  event.preventDefault();
  press("/done", {}, "completed");
});
find(".decline form").addEventListener("submit", (event) => {
  event.preventDefault();
  press("/decline", { reason: find("#reason").value.trim() }, "declined");
});
find(".open-page").addEventListener("click", openPage);
document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
  if (effectiveDirective === "connect-src" && session.upload_url) blocked();
});

on("ui/notifications/tool-input", ({ arguments: given }) => quote(given?.prompt));
on("ui/notifications/tool-result", (result) => { begin(result); });
on("ui/notifications/tool-cancelled", () => { end("failed"); });
on("ui/notifications/host-context-changed", look);
on("ui/resource-teardown", () => {});
root.classList.add("js");
speakOwn();
show("loading");
new ResizeObserver(() => {
  tell("ui/notifications/size-changed", { height: Math.ceil(main.getBoundingClientRect().height) });
}).observe(main);
const appInfo = { name: "askfile", version: "1" };
ask("ui/initialize", { appInfo, appCapabilities: {}, protocolVersion: "2026-01-26" })
  .then(({ hostCapabilities, hostContext }) => {
    can = hostCapabilities ?? {};
    look(hostContext ?? {});
    speakOwn();
    tell("ui/notifications/initialized");
  });
