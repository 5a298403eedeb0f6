import assert from "node:assert/strict";
import { test } from "node:test";
import type { OpError } from "../../../src/base/errors.ts";
import type { RpcClientTls } from "../../../src/rpc/http/options.ts";
import { RawClient } from "../../http/raw-client.ts";
import { MemoryIngester } from "../../testkit/memory-ingester.ts";
import { pem, RpcFixture } from "./rpc-fixture.ts";

const SERVER = { cert: pem("server"), key: pem("server.key") };
const MUTUAL = { ...SERVER, clientCa: pem("ca") };
const CA = pem("ca");
const CLIENT = { ca: CA, cert: pem("client"), key: pem("client.key") };
const STRANGER = { ca: CA, cert: pem("stranger"), key: pem("stranger.key") };

async function push(fixture: RpcFixture, tls?: RpcClientTls): Promise<OpError | undefined> {
  return fixture
    .client({ tls })
    .pushFrame("t", new Uint8Array(60_000))
    .then(
      () => undefined,
      (error: OpError) => error,
    );
}

function unreachable(error: OpError | undefined, text: RegExp): void {
  assert.equal(error?.code, "ingester-unreachable");
  assert.match(error.message, text);
}

test("TLS: the server shows its certificate, and the client checks it", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester, { tls: SERVER });
  assert.equal(await push(fixture, { ca: CA }), undefined);
  assert.equal(await push(fixture, { ca: CA, serverName: "ingester.test" }), undefined);
  const wrongName = await push(fixture, { ca: CA, serverName: "other.test" });
  unreachable(wrongName, /ERR_TLS_CERT_ALTNAME_INVALID/);
  assert.match(wrongName?.message ?? "", /-ingester\.client\.tls-server-name/);
  unreachable(await push(fixture, {}), /certificate is not accepted.*tls-ca-path/);
  assert.equal(ingester.pushes.length, 2);
});

test("mutual TLS: a caller without a certificate of the authority gets nothing", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester, { tls: MUTUAL });
  assert.equal(await push(fixture, CLIENT), undefined);
  unreachable(await push(fixture, { ca: CA }), /cannot be reached/);
  unreachable(await push(fixture, STRANGER), /cannot be reached/);
  assert.equal(ingester.pushes.length, 1);
  assert.match(
    await fixture.registry.metrics(),
    /muninn_rpc_server_rejected_total\{reason="tls"\} 2/,
  );
});

test("plain HTTP to a TLS port, and TLS to a plain one", async () => {
  const ingester = new MemoryIngester();
  await using secure = await RpcFixture.open(ingester, { tls: SERVER });
  await using plain = await RpcFixture.open(ingester);
  unreachable(await push(secure), /connection was closed/);
  unreachable(await push(plain, { ca: CA }), /does not speak TLS.*-ingester\.client\.tls-enabled/);
  await using raw = await RawClient.open(secure.port);
  await raw.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await raw.closed.catch(() => undefined);
  assert.doesNotMatch(raw.text, /HTTP/);
  assert.equal(ingester.pushes.length, 0);
});

test("shutdown ends a connection that stopped in its handshake", async () => {
  await using fixture = await RpcFixture.open(new MemoryIngester(), {
    tls: SERVER,
    shutdownTimeoutMs: 1000,
  });
  await using raw = await RawClient.open(fixture.port);
  await raw.write(Uint8Array.of(0x16, 3, 1));
  assert.equal(await push(fixture, { ca: CA }), undefined);
  const down = fixture.server.shutdown();
  await fixture.clock.advance(1000);
  await down;
  await raw.closed.catch(() => undefined);
});

test("a certificate that is none is refused at start", async () => {
  const tls = { cert: "nonsense", key: SERVER.key };
  await assert.rejects(RpcFixture.open(new MemoryIngester(), { tls }), /PEM|no start line/);
});
