/** Bodies and their limit, on real sockets: what matters is what travels and what is kept. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { settle } from "../testkit/test-clock.ts";
import { type HttpFixture, newHttpFixture } from "./http-fixture.ts";
import { RawClient } from "./raw-client.ts";

const LIMIT_BYTES = 1000;

interface Listening extends HttpFixture, AsyncDisposable {
  readonly port: number;
  readonly handled: number[];
}

async function listening(): Promise<Listening> {
  const fixture = newHttpFixture();
  const handled: number[] = [];
  fixture.server.routes((app) => {
    app.post(
      "/push",
      { bodyLimit: LIMIT_BYTES, config: { bodyLimitFlag: "-distributor.max-recv-msg-size" } },
      (request) => {
        handled.push((request.body as Buffer).length);
        return "stored";
      },
    );
    app.post("/default", () => "ok");
    app.post("/private", { onRequest: app.requireTenant }, () => "ok");
  });
  const { port } = await fixture.server.listen();
  return {
    ...fixture,
    port,
    handled,
    async [Symbol.asyncDispose]() {
      fixture.server.app.server.closeAllConnections();
      await fixture.server.shutdown();
    },
  };
}

function head(path: string, ...lines: string[]): string {
  return [`POST ${path} HTTP/1.1`, "Host: x", "Content-Type: a/b", ...lines, "", ""].join("\r\n");
}

test("a body at the limit passes, one byte more does not", async () => {
  await using it = await listening();
  await using client = await RawClient.open(it.port);
  await client.write(head("/push", `Content-Length: ${LIMIT_BYTES}`));
  await client.write(Buffer.alloc(LIMIT_BYTES));
  await client.received(/\r\n\r\nstored$/);
  await client.write(head("/push", `Content-Length: ${LIMIT_BYTES + 1}`));
  const text = await client.received(/413 Payload Too Large[\s\S]*\n$/);
  assert.match(
    text,
    /the request body of 1001 bytes is larger than the limit of 1000 bytes; the limit is set by -distributor\.max-recv-msg-size\n$/,
  );
  assert.match(text, /connection: close/i);
  assert.deepEqual(it.handled, [LIMIT_BYTES]);
});

test("an announced body of 100 MiB is refused before any of it is sent", async () => {
  await using it = await listening();
  await using client = await RawClient.open(it.port);
  await client.write(head("/push", `Content-Length: ${100 * 1024 * 1024 + 1}`));
  await client.received(/413 Payload Too Large[\s\S]*max-recv-msg-size\n$/);
});

test("a client that sends on gets its answer whole, without a reset", async () => {
  await using it = await listening();
  await using client = await RawClient.open(it.port);
  const sizeBytes = 8 * 1024 * 1024;
  const block = Buffer.alloc(64 * 1024);
  await client.write(head("/push", `Content-Length: ${sizeBytes}`));
  await client.received(/max-recv-msg-size\n$/);
  for (let sent = 0; sent < sizeBytes; sent += block.length) await client.write(block);
  await client.closed;
  assert.equal(it.clock.timersWaiting, 0);
});

test("a client that stops sending is let go after the read timeout", async () => {
  await using it = await listening();
  await using client = await RawClient.open(it.port);
  await client.write(head("/push", "Content-Length: 5000"));
  await client.received(/max-recv-msg-size\n$/);
  await it.clock.advance(29_999);
  assert.equal(client.socket.readyState, "open");
  await it.clock.advance(1);
  await client.closed;
});

test("a chunked body is cut off at the limit, and not kept", async () => {
  await using it = await listening();
  await using client = await RawClient.open(it.port);
  await client.write(head("/push", "Transfer-Encoding: chunked"));
  const chunk = `1f4\r\n${"x".repeat(500)}\r\n`;
  await client.write(chunk + chunk);
  await client.write("1\r\nx\r\n");
  await client.received(/413 Payload Too Large[\s\S]*larger than the limit of 1000 bytes/);
  await client.write(chunk.repeat(100));
  await client.write("0\r\n\r\n");
  await client.closed;
  assert.deepEqual(it.handled, []);
});

test("a route without a limit of its own has the server's", async () => {
  await using it = await listening();
  await using client = await RawClient.open(it.port);
  await client.write(head("/default", `Content-Length: ${10 * 1024 * 1024 + 1}`));
  await client.received(/413 [\s\S]*larger than the limit of 10485760 bytes\n$/);
});

test("Expect: 100-continue is answered when the body is wanted, and not before", async () => {
  await using it = await listening();
  await using client = await RawClient.open(it.port);
  await client.write(head("/push", "Content-Length: 5", "Expect: 100-continue"));
  await client.received(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  await client.write("12345");
  await client.received(/stored$/);
  await using refused = await RawClient.open(it.port);
  await refused.write(head("/push", "Content-Length: 5000", "Expect: 100-continue"));
  assert.doesNotMatch(await refused.received(/max-recv-msg-size\n$/), /100 Continue/);
  await using noTenant = await RawClient.open(it.port);
  await noTenant.write(head("/private", "Content-Length: 5", "Expect: 100-continue"));
  assert.doesNotMatch(await noTenant.received(/no org id\n$/), /100 Continue/);
});

test("a client that leaves in the middle of its body is not an error of ours", async () => {
  await using it = await listening();
  {
    await using client = await RawClient.open(it.port);
    const begun = once(it.server.app.server, "request");
    await client.write(head("/push", "Content-Length: 500"));
    await client.write("some");
    await begun;
  }
  await it.server.shutdown();
  await settle();
  assert.deepEqual(it.handled, []);
  const levels = it.logger.lines.map((line) => line.level);
  assert.ok(!levels.includes("error") && !levels.includes("warn"), JSON.stringify(it.logger.lines));
  assert.match(await it.registry.metrics(), /route="push",status_code="499",ws="false"\} 1/);
});
