// One file on its way: a request that tells how far it has come and how it ended.

/** Longest silence of the network, in milliseconds; the server bears as much. */
const MOST_SILENCE = 30_000;
/** Over how many milliseconds the speed is measured. */
const WINDOW = 3_000;

/**
 * Sends a file. The same `attempt` again takes over what a cut connection left.
 *
 * `told({sent, speed})` hears of bytes, and bytes a second once that is known. The promise gives
 * `{ok: true, media, scan}` or `{ok: false, word}` (a client's word) or `{ok: false, code, message}`
 * (the server's failure). `signal` stops it.
 */
export async function send(url, file, description, attempt, signal, told) {
  const body = new FormData();
  if (description) body.append("description", description);
  body.append("media", file, file.name);
  const headers = { Accept: "application/json", "Askfile-Attempt": attempt };
  const { word, status, text } = await transmit("POST", url, headers, body, file, signal, told);
  return word ? { ok: false, word } : answer(status, text);
}

/** A request with a file in its body: gives `{status, text}`, or `{word}` where nothing answered. */
export function transmit(method, url, headers, body, file, signal, told) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ word: "script.stopped" });
    const request = new XMLHttpRequest();
    let silence;
    let why = () => (navigator.onLine ? "script.cut" : "script.offline");
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stop("script.slow"), MOST_SILENCE);
    };
    const stop = (word) => {
      why = () => word;
      request.abort();
    };
    const end = (result) => {
      clearTimeout(silence);
      resolve(result);
    };

    const marks = [];
    request.upload.onprogress = (event) => {
      alive();
      // The form around the file counts as none of it.
      const around = Math.max(0, event.total - file.size);
      const sent = Math.max(0, event.loaded - around);
      const now = performance.now();
      marks.push({ now, sent });
      while (marks.length > 2 && now - marks[0].now > WINDOW) marks.shift();
      const [{ now: since, sent: before }] = marks;
      told({ sent, speed: now - since > 500 ? ((sent - before) * 1000) / (now - since) : null });
    };
    request.onload = () => end({ status: request.status, text: request.responseText });
    request.onabort = () => end({ word: why() });
    request.onerror = async () => {
      const word = why();
      end({ word: (await isReadable(file)) ? word : "script.unreadable" });
    };
    signal.addEventListener("abort", () => stop("script.stopped"));

    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    alive();
    request.send(body);
  });
}

/** What the server says came of a file. */
export function answer(status, text) {
  try {
    const { code, message, media_id: media, scan_status: scan } = JSON.parse(text);
    if (status === 201 || status === 202) return { ok: true, media, scan };
    if (code) return { ok: false, code, message };
  } catch {
    // Something between here and the server answered.
  }
  return { ok: false, word: "script.unclear" };
}

/** Whether a file is still what was chosen; browsers report a changed one as a broken network. */
async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** A random UUID, on pages without TLS too. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
