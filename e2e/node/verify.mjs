// What receivers in JavaScript do with a delivery: the public library verifies the signature of a shared secret, before and
// after it is rolled, and Node's own crypto that of a private key, which the library does not know. Exits with an error at
// the first answer that is not as it must be.
//
// Settings, from the environment: BASE_URI (of the project's routes), API_KEY, SINK (host:port to receive at), TOOLS (the
// folder with the library).

import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { BASE_URI, API_KEY, SINK, TOOLS } = process.env;
const { Webhook, WebhookVerificationError } = createRequire(`${TOOLS}/`)("standardwebhooks");

const LIMIT_MS = 30_000;
const SHARED = "whsec_c2VjcmV0IG9mIHRoZSBlbmRwb2ludCwgbG9uZw==";
const NEWER = "whsec_YSBuZXdlciBzZWNyZXQgb2YgdGhlIGVuZHBvaW50";
// What DER has before the 32 bytes of an Ed25519 public key, RFC 8410.
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

const received = [];
const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    received.push({ path: request.url, headers: request.headers, body: Buffer.concat(parts) });
    response.end("ok");
  });
});

async function call(method, path, body, status) {
  const headers = { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" };
  const answer = await fetch(`${BASE_URI}/${path}`, { method, headers, body: JSON.stringify(body) });
  const text = await answer.text();
  assert.equal(answer.status, status, `${method} ${path}: ${text}`);
  return JSON.parse(text).data;
}

async function endpoint(name, secret) {
  const made = await call("POST", "endpoints", { name, url: `http://${SINK}/${name}`, ...secret }, 201);
  await call("POST", "subscriptions", { name, endpoint_id: made.uid }, 201);
  return made;
}

// Sends an event and waits for what arrives of it.
async function deliver(endpoint, data) {
  const before = received.length;
  await call("POST", "events", { endpoint_id: endpoint.uid, event_type: "js.sent", data }, 201);
  const end = Date.now() + LIMIT_MS;
  while (received.length === before) {
    assert.ok(Date.now() < end, `nothing arrived within ${LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(received.length, before + 1);
  assert.equal(received[before].path, new URL(endpoint.url).pathname);
  return received[before];
}

function verifies(secret, { headers, body }, data) {
  const webhook = new Webhook(secret);
  assert.deepEqual(webhook.verify(body, headers), data);
  assert.throws(() => webhook.verify(`${body} `, headers), WebhookVerificationError);
  const later = { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) + 1) };
  assert.throws(() => webhook.verify(body, later), WebhookVerificationError);
  const other = { ...headers, "webhook-id": `${headers["webhook-id"]}0` };
  assert.throws(() => webhook.verify(body, other), WebhookVerificationError);
}

async function shared() {
  const made = await endpoint("shared", { secret: SHARED });
  const data = { text: "grün 東京 🚀", number: 1.5, list: [null, true] };
  verifies(SHARED, await deliver(made, data), data);
  await call("PUT", `endpoints/${made.uid}/expire_secret`, { secret: NEWER, expiration: 600 }, 200);
  const rolled = await deliver(made, data);
  assert.equal(rolled.headers["webhook-signature"].split(" ").length, 2, "both secrets sign");
  verifies(SHARED, rolled, data);
  verifies(NEWER, rolled, data);
}

async function words() {
  // A secret that is no `whsec_…` is a key as it stands.
  const made = await endpoint("words", { secret: "a secret in words" });
  const data = { number: 2 };
  const { headers, body } = await deliver(made, data);
  assert.deepEqual(new Webhook("a secret in words", { format: "raw" }).verify(body, headers), data);
}

async function pair() {
  const made = await endpoint("pair", { secret_type: "ed25519" });
  const [secret] = made.secrets;
  assert.match(secret.public_key, /^whpk_/);
  const key = Buffer.from(secret.public_key.slice("whpk_".length), "base64");
  const { headers, body } = await deliver(made, { number: 3 });
  const [version, signature] = headers["webhook-signature"].split(",");
  assert.equal(version, "v1a");
  const signed = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`), body]);
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI, key]), format: "der", type: "spki" });
  const isGood = (message) => verify(null, message, publicKey, Buffer.from(signature, "base64"));
  assert.ok(isGood(signed));
  assert.ok(!isGood(Buffer.concat([signed, Buffer.from(" ")])), "a changed body must not verify");
}

const [host, port] = SINK.split(":");
await new Promise((resolve) => server.listen(Number(port), host, resolve));
await shared();
await words();
await pair();
server.close();
server.closeAllConnections();
console.log("Deliveries verify in JavaScript.");
