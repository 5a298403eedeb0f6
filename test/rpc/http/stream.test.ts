/** Streams of calls: messages whatever the pieces they come in, and many calls side by side on one connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { OpError } from "../../../src/base/errors.ts";
import { MessageReader, messageHeader } from "../../../src/rpc/http/stream-message.ts";
import { RawClient } from "../../http/raw-client.ts";
import { MemoryIngester } from "../../testkit/memory-ingester.ts";
import { settle } from "../../testkit/test-clock.ts";
import { RpcFixture } from "./rpc-fixture.ts";

const messageOf = fc.record({
  call: fc.nat(0xffffffff),
  code: fc.nat(0xffff),
  name: fc.string({ unit: "binary-ascii", maxLength: 150 }),
  body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

test("messages come out as they went in, however the stream is cut; what is not wanted is skipped", () => {
  fc.assert(
    fc.property(
      fc.array(messageOf, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
      fc.nat(300),
      (messages, cuts, wantedMaxBytes) => {
        const stream = Buffer.concat(
          messages.flatMap((one) => [messageHeader(one, one.body.length), one.body]),
        );
        const reader = new MessageReader((sizeBytes) => sizeBytes <= wantedMaxBytes);
        const read = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const end = at + (cuts[turn % cuts.length] ?? 1);
          read.push(...reader.read(Buffer.from(stream.subarray(at, end))));
          at = end;
        }
        const expected = messages.map(({ body, ...rest }) => {
          const sizeBytes = body.length;
          return sizeBytes <= wantedMaxBytes
            ? { ...rest, body, sizeBytes }
            : { ...rest, name: "", body: undefined, sizeBytes };
        });
        assert.deepEqual(read, expected);
        assert.equal(reader.partialBytes, 0);
      },
    ),
  );
});

test("golden bytes of a message", () => {
  const bytes = messageHeader({ call: 0x01020304, code: 204, name: "team-a" }, 5);
  assert.equal(bytes.toString("hex"), "0500000004030201cc0006007465616d2d61");
});

test("many calls of all sizes share one connection, and each gets its own answer", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester);
  const client = fixture.client();
  const sizes = Array.from({ length: 300 }, (_, i) => (i * 7919) % 200_000);
  await Promise.all(
    sizes.map((size, i) => client.pushFrame(`t${i}`, new Uint8Array(size).fill(i))),
  );
  assert.equal(ingester.pushes.length, sizes.length);
  for (const { tenant, frame } of ingester.pushes) {
    const i = Number(tenant.slice(1));
    assert.equal(frame.length, sizes[i]);
    assert.ok(frame.every((byte) => byte === i % 256));
  }
  assert.match(await fixture.registry.metrics(), /^muninn_rpc_server_connections 1$/m);
});

test("a stream is for members only, and only where there is one", async () => {
  await using fixture = await RpcFixture.open(new MemoryIngester(), { secret: "s" });
  const ask = async (path: string, headers: string): Promise<string> => {
    await using raw = await RawClient.open(fixture.port);
    await raw.write(
      `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: muninn-calls\r\n${headers}\r\n`,
    );
    await raw.closed;
    return raw.text;
  };
  const member = "x-muninn-cluster: blue\r\nauthorization: Bearer cw\r\n";
  assert.match(await ask("/rpc/v1/ingester/push", ""), /^HTTP\/1\.1 401 .*rpc-unauthorized/s);
  assert.match(await ask("/rpc/v1/ingester/select", member), /^HTTP\/1\.1 404 .*no such stream/s);
  assert.match(await ask("/rpc/v9/ingester/push", member), /^HTTP\/1\.1 421 .*version 9/s);
  const error = await fixture
    .client({ secret: "wrong" })
    .pushFrame("t", Uint8Array.of(1))
    .then(
      () => assert.fail("it is answered"),
      (caught: OpError) => caught,
    );
  assert.equal(error.code, "rpc-unauthorized");
});

test("a tenant that is none is refused, and the stream goes on", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester);
  const client = fixture.client();
  await assert.rejects(client.pushFrame("a|b", Uint8Array.of(1)), { code: "invalid-tenant" });
  await assert.rejects(client.pushFrame("", Uint8Array.of(1)), { code: "no-org-id" });
  await client.pushFrame("t", Uint8Array.of(1));
  assert.deepEqual(
    ingester.pushes.map(({ tenant }) => tenant),
    ["t"],
  );
});

test("a stream without a sign of life for the time of a call is given up, and the next call opens another", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester);
  const client = fixture.client({ pushTimeoutMs: 2000 });
  await client.pushFrame("t", Uint8Array.of(1));
  await fixture.clock.advance(1);
  const open = ingester.gate;
  ingester.gate = new Promise(() => {});
  const hung = client.pushFrame("t", Uint8Array.of(2)).then(
    () => assert.fail("it is answered"),
    (error: OpError) => error,
  );
  while (ingester.pushes.length < 2) await settle();
  await fixture.clock.advance(2000);
  assert.equal((await hung).code, "ingester-timeout");
  ingester.gate = open;
  await client.pushFrame("t", Uint8Array.of(3));
  assert.equal(ingester.pushes.length, 3);
});

test("a stream that breaks off gives the room of its half calls back", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester, { bodiesSizeMaxBytes: 1000 });
  {
    await using raw = await RawClient.open(fixture.port);
    await raw.write(
      "GET /rpc/v1/ingester/push HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: muninn-calls\r\nx-muninn-cluster: blue\r\n\r\n",
    );
    await raw.write(messageHeader({ call: 1, code: 0, name: "t" }, 900));
    while (!raw.text.includes("101")) await settle();
    await assert.rejects(fixture.client().pushFrame("t", new Uint8Array(200)), {
      code: "rpc-overloaded",
    });
  }
  const client = fixture.client();
  for (;;) {
    const outcome = await client.pushFrame("t", new Uint8Array(1000)).then(
      () => "stored",
      (error: OpError) => error.code,
    );
    if (outcome === "stored") break;
    assert.equal(outcome, "rpc-overloaded");
  }
});
