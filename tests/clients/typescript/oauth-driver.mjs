// An agent that a person lets in, by the OAuth client of an SDK. Reads commands as JSON lines, one after
// the other, and answers each with one.

import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";

const print = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

// What a client keeps, in memory.
class Keeper {
  constructor({ redirect, document }) {
    this.redirectUrl = redirect;
    this.clientMetadataUrl = document ?? undefined;
    this.clientMetadata = { client_name: "An SDK", redirect_uris: [redirect] };
  }
  state = () => (this.given = randomUUID());
  clientInformation = () => this.client;
  saveClientInformation = (client) => void (this.client = client);
  tokens = () => this.kept;
  saveTokens = (tokens) => void (this.kept = tokens);
  codeVerifier = () => this.verifier;
  saveCodeVerifier = (verifier) => void (this.verifier = verifier);
  discoveryState = () => this.discovered;
  saveDiscoveryState = (discovered) => void (this.discovered = discovered);
  redirectToAuthorization = (url) => void (this.leadsTo = url);
  invalidateCredentials = (what) => {
    if (what !== "client") this.kept = undefined;
    if (what !== "tokens") this.client = undefined;
  };
}

// `connect` makes a client of the SDK over a transport; `finish` hands the SDK what a person brought back.
export async function drive({ Transport, connect, finish, UnauthorizedError }) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const { url, ...own } = JSON.parse((await lines.next()).value);
  const keeper = new Keeper(own);
  let transport;
  let client;
  const actions = {
    connect: async () => {
      transport = new Transport(new URL(url), { authProvider: keeper });
      client = await connect(transport);
    },
    finish: async ({ answer }) => {
      const brought = new URLSearchParams(answer);
      if (brought.get("state") !== keeper.given) throw new Error("another state came back");
      await finish(transport, brought);
    },
    call: ({ tools }) => Promise.all(tools.map((name) => client.callTool({ name, arguments: {} }))),
    kept: () => ({ client: keeper.client, tokens: keeper.kept }),
  };
  for await (const line of lines) {
    const { do: what, ...given } = JSON.parse(line);
    keeper.leadsTo = undefined;
    try {
      print({ result: (await actions[what](given)) ?? null });
    } catch (error) {
      const leadsTo = error instanceof UnauthorizedError ? keeper.leadsTo : undefined;
      print({ error: String(error), leadsTo });
    }
  }
  await client?.close();
}
