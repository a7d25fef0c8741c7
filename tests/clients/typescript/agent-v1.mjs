// An agent on the official TypeScript SDK v1.

import { drive, require, subscribing } from "./driver.mjs";

const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const {
  ElicitRequestSchema,
  ElicitationCompleteNotificationSchema,
  ResourceUpdatedNotificationSchema,
} = require("@modelcontextprotocol/sdk/types.js");

await drive(async ({ url, command: [command, ...args], env, headers, shows }, person) => {
  const transport = url
    ? new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
    : new StdioClientTransport({ command, args, env });
  let version;
  const agree = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (agreed) => {
    version = agreed;
    agree?.(agreed);
  };
  const capabilities = shows ? { elicitation: { url: {} } } : {};
  const client = new Client({ name: "agent-v1", version: "1" }, { capabilities });
  if (shows) {
    client.setRequestHandler(ElicitRequestSchema, person.show);
    client.setNotificationHandler(ElicitationCompleteNotificationSchema, person.over);
  }
  await client.connect(transport);
  return {
    client,
    version,
    call: (params, options) => client.callTool(params, undefined, options),
    hear: (told) => client.setNotificationHandler(ResourceUpdatedNotificationSchema, told),
    ...subscribing(client),
  };
});
