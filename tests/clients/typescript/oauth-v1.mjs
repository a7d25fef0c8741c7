// The OAuth client of the official TypeScript SDK v1.

import { require } from "./driver.mjs";
import { drive } from "./oauth-driver.mjs";

const { UnauthorizedError } = require("@modelcontextprotocol/sdk/client/auth.js");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");

await drive({
  Transport: StreamableHTTPClientTransport,
  UnauthorizedError,
  connect: async (transport) => {
    const client = new Client({ name: "oauth-v1", version: "1" });
    await client.connect(transport);
    return client;
  },
  finish: (transport, brought) => transport.finishAuth(brought.get("code")),
});
