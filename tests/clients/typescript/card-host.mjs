// A chat that shows cards, by the official host library: for what the Inspector's own host does not offer.
// The test says what it can (`window.given`) and reads what it was asked for (`window.asked`).

import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const { capabilities, context, card, results, input, mute, head, isHasty, isLate } = window.given;
window.asked = [];

/** The policy that hosts give a card: what it declares, and nothing else. */
const connect = card.meta.ui.csp.connectDomains.join(" ");
const policy = `default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; `
  + `img-src blob: data:; connect-src ${window.given.blocks ? "'none'" : connect}`;
const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}">`;

const note = (method, answer = {}) => async (params) => {
  window.asked.push([method, params]);
  return mute.includes(method) ? new Promise(() => {}) : answer;
};

/** Shows a card of what a call gave. */
async function show(frame, result) {
  const bridge = new AppBridge(null, { name: "A chat", version: "1" }, capabilities, { hostContext: context });
  bridge.onmessage = note("message");
  bridge.onupdatemodelcontext = note("context");
  bridge.onopenlink = note("open");
  bridge.oncalltool = async (params) => {
    await note("call")(params);
    return window.callTool(params);
  };
  bridge.onsizechange = ({ height }) => { frame.style.height = `${height}px`; };
  bridge.oninitialized = async () => {
    await bridge.sendToolInput({ arguments: input });
    if (!isLate) await bridge.sendToolResult(result);
  };
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.srcdoc = card.html.replace("<head>", `<head>${meta}${head}`);
  return bridge;
}

/** Tells a card what its call gave before it is told anything else. */
function hurry(event) {
  if (event.data?.method !== "ui/initialize") return;
  removeEventListener("message", hurry);
  event.stopImmediatePropagation();
  const method = "ui/notifications/tool-result";
  event.source.postMessage({ jsonrpc: "2.0", method, params: results[0] }, "*");
  setTimeout(() => dispatchEvent(new MessageEvent("message", { data: event.data, source: event.source })), 500);
}

if (isHasty) addEventListener("message", hurry);
const first = document.querySelector("iframe");
const frames = results.map((_, at) => (at ? first.cloneNode() : first));
document.body.append(...frames);
const bridges = await Promise.all(frames.map((frame, at) => show(frame, results[at])));
window.bridge = bridges[0];
window.tellResult = () => bridges[0].sendToolResult(results[0]);
