// The chat around the card: JSON-RPC with the frame that shows it, as MCP Apps (2026-01-26) has it.

const waiting = new Map();
const heard = new Map();
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

/** What to do when the host says this; gives what it is answered with. */
export function on(method, act) {
  heard.set(method, act);
}

addEventListener("message", ({ source, data }) => {
  if (source !== parent || data?.jsonrpc !== "2.0") return;
  const { id, method, params, result, error } = data;
  if (method) {
    const answer = heard.get(method)?.(params ?? {});
    if (id !== undefined) post({ id, result: answer ?? {} });
    return;
  }
  const asked = waiting.get(id);
  waiting.delete(id);
  if (error) asked?.reject(new Error(error.message));
  else asked?.resolve(result ?? {});
});
