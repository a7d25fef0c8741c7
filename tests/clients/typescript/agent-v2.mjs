// An agent on the official TypeScript client v2.

import { drive, require, subscribing } from "./driver.mjs";

const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");

// How clients follow resources since 2026-07-28: all of these at once, as long as they listen.
const listening = (client) => {
  const all = new Map();
  return {
    follow: async (uris) => {
      const listens = await client.listen({ resourceSubscriptions: uris });
      all.set(String(uris), listens);
      return listens.honoredFilter.resourceSubscriptions;
    },
    leave: (uris) => all.get(String(uris)).close(),
    ended: (uris) => all.get(String(uris)).closed,
  };
};

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
    hear: (told) => client.setNotificationHandler("notifications/resources/updated", told),
    ...(mode === "legacy" ? subscribing : listening)(client),
  };
});
