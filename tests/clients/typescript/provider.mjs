// A real OpenID provider that programs get tokens of by the client credentials grant:
// `node provider.mjs PORT ALGORITHM WORKSPACE...`. Each start makes a key of its own to sign with.

import { generateKeyPairSync, randomUUID } from "node:crypto";

import { require } from "./driver.mjs";

const { default: Provider } = await import(require.resolve("oidc-provider"));

const [port, alg, ...workspaces] = process.argv.slice(2);
const { privateKey } = alg.startsWith("ES")
  ? generateKeyPairSync("ec", { namedCurve: "P-256" })
  : generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg, use: "sig" };
const scope = "asset:upload media:read media:attach media:delete";

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [key] },
  scopes: scope.split(" "),
  clientDefaults: { id_token_signed_response_alg: alg },
  clients: [
    {
      client_id: "agent",
      client_secret: "the-agents-secret",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  extraTokenClaims: () => ({ workspaces }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, audience) => ({
        scope,
        audience,
        accessTokenTTL: 600,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg } },
      }),
    },
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
