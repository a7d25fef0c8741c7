// Reads commands as JSON lines, lets a client do them, and prints what comes of them as JSON lines.

import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

// The packages lie where tests/run installs them, not above this file.
export const require = createRequire(join(process.env.ASKFILE_TEST_NODE, "package.json"));

const print = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

// Whom the client shows links to: somebody at the other end of the pipe.
const choices = [];
const person = {
  show: ({ params }) =>
    new Promise((resolve) => {
      print({ question: choices.length, params });
      choices.push((action) => resolve({ action }));
    }),
  over: ({ params }) => print({ over: params.elicitationId }),
};

// The first line says how to connect: `connect` does, and answers with the client, the version that
// was agreed on, and how this SDK is told to call a tool, to say which resource changed, and to begin and
// to end following some.
export async function drive(connect) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const first = JSON.parse((await lines.next()).value);
  const { client, version, call, hear, follow, leave, ended } = await connect(first, person);
  hear(({ params }) => print({ updated: params.uri }));
  print({ id: first.id, result: version });

  const calls = new Map();
  const actions = {
    tools: async () => (await client.listTools()).tools,
    call: ({ id, tool, arguments: given }) => {
      const aborting = new AbortController();
      calls.set(id, aborting);
      const onprogress = ({ message }) => print({ id, progress: message ?? "" });
      return call({ name: tool, arguments: given }, { onprogress, signal: aborting.signal });
    },
    read: async ({ uri }) => (await client.readResource({ uri })).contents[0].text,
    follow: ({ uris }) => follow(uris),
    leave: ({ uris }) => leave(uris),
    ended: ({ uris }) => ended(uris),
  };
  for await (const line of lines) {
    const { do: what, ...command } = JSON.parse(line);
    if (what === "choose") {
      choices[command.question](command.action);
      continue;
    }
    if (what === "cancel") {
      calls.get(command.id).abort();
      continue;
    }
    actions[what](command).then(
      (result) => print({ id: command.id, result: result ?? null }),
      (error) => print({ id: command.id, error: String(error) }),
    );
  }
  for (const aborting of calls.values()) aborting.abort();
  await client.close();
}

// How clients follow resources that have a session: one by one.
export const subscribing = (client) => ({
  follow: (uris) => Promise.all(uris.map((uri) => client.subscribeResource({ uri }))),
  leave: (uris) => Promise.all(uris.map((uri) => client.unsubscribeResource({ uri }))),
});
