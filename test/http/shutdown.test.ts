import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { settle } from "../testkit/test-clock.ts";
import { newHttpFixture } from "./http-fixture.ts";
import { RawClient } from "./raw-client.ts";

/** A route that answers when the test says so. */
function held(): {
  readonly entered: Promise<void>;
  readonly enter: () => Promise<string>;
  readonly release: () => void;
} {
  const entered = Promise.withResolvers<void>();
  const released = Promise.withResolvers<string>();
  return {
    entered: entered.promise,
    enter() {
      entered.resolve();
      return released.promise;
    },
    release: () => released.resolve("done"),
  };
}

const REQUEST = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";

test("requests under way are answered with Connection: close, then the server is gone", async () => {
  const { server, clock } = newHttpFixture();
  const slow = held();
  server.routes((app) => void app.get("/slow", slow.enter));
  const { port } = await server.listen();
  await using idle = await RawClient.open(port);
  await using client = await RawClient.open(port);
  await client.write(REQUEST);
  await slow.entered;
  const stopped = server.shutdown();
  await idle.closed;
  await assert.rejects(once(connect(port, "127.0.0.1"), "connect"), { code: "ECONNREFUSED" });
  slow.release();
  const text = await client.received(/done$/);
  assert.match(text, /connection: close/i);
  await stopped;
  await client.closed;
  assert.equal(clock.timersWaiting, 0);
});

test("what is not done by the deadline is cut off", async () => {
  const { server, clock, logger } = newHttpFixture({ shutdownTimeoutMs: 5000 });
  const slow = held();
  server.routes((app) => void app.get("/slow", slow.enter));
  const { port } = await server.listen();
  await using client = await RawClient.open(port);
  await client.write(REQUEST);
  await slow.entered;
  let isStopped = false;
  const stopped = server.shutdown().then(() => {
    isStopped = true;
  });
  await settle();
  await clock.advance(4999);
  assert.equal(isStopped, false);
  await clock.advance(1);
  await stopped;
  await client.closed;
  assert.equal(client.text, "");
  assert.ok(
    logger.lines.some(({ level, message }) => level === "warn" && /by force/.test(message)),
  );
});

test("connections are counted", async () => {
  const { server, registry } = newHttpFixture();
  const { port } = await server.listen();
  {
    const accepted = once(server.app.server, "connection");
    await using _client = await RawClient.open(port);
    await accepted;
    assert.match(await registry.metrics(), /cortex_tcp_connections\{protocol="http"\} 1\n/);
  }
  await server.shutdown();
  await settle();
  assert.match(await registry.metrics(), /cortex_tcp_connections\{protocol="http"\} 0\n/);
});
