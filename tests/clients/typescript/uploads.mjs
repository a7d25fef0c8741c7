// A program that sends a file as the clients of such services do, with nothing but fetch:
// `node uploads.mjs URL KEY`, the file on its input. It tells what it was answered, as JSON.

import { buffer } from "node:stream/consumers";

const [url, key] = process.argv.slice(2);
const file = await buffer(process.stdin);

async function call(method, path, body) {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

async function put(address, type, bytes) {
  const answer = await fetch(address, { method: "PUT", headers: { "content-type": type }, body: bytes });
  return { status: answer.status, body: await answer.json() };
}

const uploads = {
  create: (params) => call("POST", "/v1/uploads", params),
  retrieve: (id) => call("GET", `/v1/uploads/${id}`),
};

const created = await uploads.create({
  metadata: { name: "Scan of page 7", externalId: "page-7", labels: { book: "atlas" } },
  spec: { contentType: "image/png", filename: "page-7.png", sizeBytes: String(file.length) },
});
const { id } = created.body.metadata;
const { uploadUrl } = created.body.info;
const otherType = await put(uploadUrl, "image/jpeg", file);
const otherLength = await put(uploadUrl, "image/png", file.subarray(1));
const pending = await uploads.retrieve(id);
const sent = await put(uploadUrl, "image/png", file);
const complete = await uploads.retrieve(id);

const form = new FormData();
form.append("file", new Blob([file], { type: "image/png" }), "page-8.png");
const picture = await fetch(`${url}/v1/uploads`, {
  method: "POST",
  headers: { authorization: `Bearer ${key}` },
  body: form,
}).then(async (answer) => ({ status: answer.status, body: await answer.json() }));
const preview = await fetch(picture.body.image_url);

console.log(
  JSON.stringify({
    created, otherType, otherLength, pending, sent, complete, picture,
    preview: { status: preview.status, type: preview.headers.get("content-type") },
  }),
);
