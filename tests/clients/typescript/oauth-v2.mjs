// The OAuth client of the official TypeScript client v2, which looks at who answered, too.

import { require } from "./driver.mjs";
import { drive } from "./oauth-driver.mjs";

const { Client, StreamableHTTPClientTransport, UnauthorizedError } = require("@modelcontextprotocol/client");

await drive({
  Transport: StreamableHTTPClientTransport,
  UnauthorizedError,
  connect: async (transport) => {
    const newest = { versionNegotiation: { mode: "auto" } };
    const client = new Client({ name: "oauth-v2", version: "2" }, newest);
    await client.connect(transport);
    return client;
  },
  finish: (transport, brought) => transport.finishAuth(brought),
});
