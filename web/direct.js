// One file on its way straight into the store, by a grant of the server's.

import { answer, send, transmit } from "./file.js";

/** With these the server refuses a grant for a file that it may still take itself. */
const BY_SERVER = new Set(["CONFLICT", "MIME_NOT_ALLOWED", "INVALID_ARGUMENT"]);
/** With these it is asked again what came of a file that was sent. */
const NOT_YET = new Set(["NOT_READY", "BUSY", "UNAVAILABLE"]);
/** How long that waits, in milliseconds, and how often it is done. */
const PAUSE = 1_000;
const MOST_QUESTIONS = 600;

/** Whether the store may be there: what gave no answer once is not tried with each file. */
let isReached = true;

/**
 * Sends a file as `send` does, but puts it into the store. Where that cannot be reached, or does not
 * take it, the file goes through the server at `url` after all.
 */
export async function sendDirect(grants, url, file, description, attempt, signal, told) {
  const through = () => send(url, file, description, attempt, signal, told);
  if (!isReached) return through();
  const [path, query] = grants.split("?");
  const ask = async (method, below, body) => {
    const keepalive = method === "DELETE";
    const asked = await fetch(`${path}${below}?${query}`, { method, body, keepalive });
    return { status: asked.status, text: await asked.text() };
  };
  const { name: filename, type: mime_type, size: size_bytes } = file;
  const wanted = { filename, mime_type, size_bytes, description, attempt };
  let grant;
  try {
    const { status, text } = await ask("POST", "", JSON.stringify(wanted));
    grant = JSON.parse(text);
    if (!grant.grant_id) {
      return BY_SERVER.has(grant.code) ? through() : answer(status, text);
    }
  } catch {
    return through();
  }

  const below = `/${grant.grant_id}`;
  // Whoever comes next need not wait until the grant is over.
  const giveBack = () => ask("DELETE", below).catch(() => {});
  addEventListener("pagehide", giveBack);
  const { "content-length": _, ...headers } = grant.headers;
  const { word, status } = await transmit("PUT", grant.url, headers, file, file, signal, told);
  removeEventListener("pagehide", giveBack);
  if (status === 200) return complete(() => ask("POST", `${below}/complete`), signal);
  if (word === "script.cut" || word === "script.slow") isReached = false;
  await giveBack();
  return word === "script.stopped" || word === "script.unreadable" ? { ok: false, word } : through();
}

/** The file is in the store, and the server takes it in even if nobody asks. */
async function complete(ask, signal) {
  let result;
  for (let question = 0; question < MOST_QUESTIONS && !signal.aborted; question += 1) {
    try {
      const { status, text } = await ask();
      result = answer(status, text);
      if (!NOT_YET.has(result.code)) return result;
    } catch {
      result = { ok: false, word: navigator.onLine ? "script.cut" : "script.offline" };
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  return signal.aborted ? { ok: false, word: "script.stopped" } : result;
}
