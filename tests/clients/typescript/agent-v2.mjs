// An agent on the official TypeScript client v2.

import { drive, require } from "./driver.mjs";

const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");

await drive(async ({ url, command: [command, ...args], env, headers, era, shows }, person) => {
  const transport = url
    ? new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
    : new StdioClientTransport({ command, args, env });
  const mode = era === "2025-11-25" ? "legacy" : "auto";
  const capabilities = shows ? { elicitation: { url: {} } } : {};
  const options = { capabilities, versionNegotiation: { mode } };
  const client = new Client({ name: "agent-v2", version: "2" }, options);
  if (shows) {
    client.setRequestHandler("elicitation/create", person.show);
    client.setNotificationHandler("notifications/elicitation/complete", person.over);
  }
  await client.connect(transport);
  return {
    client,
    version: client.getNegotiatedProtocolVersion(),
    call: (params, options) => client.callTool(params, options),
  };
});
