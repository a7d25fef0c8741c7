// A chat that shows the card, by the official host library: for what the Inspector's own host does not
// offer. The test says what it can (`window.given`) and reads what it was asked for (`window.asked`).

import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const { capabilities, context, card, result, input } = window.given;
window.asked = [];

/** The policy that hosts give a card: what it declares, and nothing else. */
const connect = card.meta.ui.csp.connectDomains.join(" ");
const policy = `default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; `
  + `img-src blob: data:; connect-src ${window.given.blocks ? "'none'" : connect}`;
const frame = document.querySelector("iframe");

const bridge = new AppBridge(null, { name: "A chat", version: "1" }, capabilities, { hostContext: context });
const note = (method, answer = {}) => async (params) => {
  window.asked.push([method, params]);
  return answer;
};
bridge.onmessage = note("message");
bridge.onupdatemodelcontext = note("context");
bridge.onopenlink = note("open");
bridge.oncalltool = async (params) => {
  window.asked.push(["call", params]);
  return window.callTool(params);
};
bridge.onsizechange = ({ height }) => { frame.style.height = `${height}px`; };
bridge.oninitialized = async () => {
  await bridge.sendToolInput({ arguments: input });
  await bridge.sendToolResult(result);
};
window.bridge = bridge;

await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
frame.srcdoc = card.html.replace("<head>", `<head>${meta}`);
