// The chat around the card: JSON-RPC with the frame that shows it, as MCP Apps (2026-01-26) has it.

/** How long to wait for what may never come, in milliseconds. */
export const PATIENCE = 10_000;
/** That there is no such method. */
const UNKNOWN = { code: -32601, message: "Method not found" };

const waiting = new Map();
const heard = new Map([["ping", () => {}]]);
let last = 0;

/** The host's own frame is of an origin that nobody tells; what it gets, it has given before. */
const post = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");

export function tell(method, params = {}) {
  post({ method, params });
}

/** A request; fails as the host says. */
export function ask(method, params = {}) {
  last += 1;
  const id = last;
  post({ id, method, params });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

/** The same promise, which fails if it takes too long: hosts leave some requests without an answer. */
export function soon(promise, patience = PATIENCE) {
  return Promise.race([promise, new Promise((_, reject) => setTimeout(reject, patience))]);
}

/** What to do when the host says this. */
export function on(method, act) {
  heard.set(method, act);
}

addEventListener("message", ({ source, data }) => {
  if (source !== parent || data?.jsonrpc !== "2.0") return;
  const { id, method, params, result, error } = data;
  if (method) {
    const act = heard.get(method);
    act?.(params ?? {});
    if (id !== undefined) post(act ? { id, result: {} } : { id, error: UNKNOWN });
    return;
  }
  const asked = waiting.get(id);
  waiting.delete(id);
  if (error) asked?.reject(new Error(error.message));
  else asked?.resolve(result ?? {});
});
