/** Who and what must not get through the listener for members, and what the listener's other side must not swallow. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { OpError } from "../../../src/base/errors.ts";
import { emptySeriesSet } from "../../../src/storage/encoded-series.ts";
import type { SelectRequest } from "../../../src/storage/queryable.ts";
import { encodeSeriesSet } from "../../../src/storage/series-set-frame.ts";
import { RawClient } from "../../http/raw-client.ts";
import { MemoryIngester } from "../../testkit/memory-ingester.ts";
import { settle } from "../../testkit/test-clock.ts";
import { RpcFixture } from "./rpc-fixture.ts";

const FRAME = Uint8Array.of(1, 2, 3);
const SELECT: SelectRequest = {
  matchers: [],
  minTimeMs: 0,
  maxTimeMs: 1,
  limits: { seriesMax: 0, chunksMax: 0, chunkBytesMax: 0 },
};

/** One request as bytes, and all of the answer. */
async function ask(port: number, head: string, body: string | Uint8Array = ""): Promise<string> {
  await using client = await RawClient.open(port);
  await client.write(`${head}\r\nhost: x\r\nconnection: close\r\n\r\n`);
  if (body.length > 0) await client.write(body);
  await client.closed.catch(() => undefined);
  return client.text;
}

async function rejected(call: Promise<unknown>): Promise<OpError> {
  return call.then(
    () => assert.fail("it was answered"),
    (error: unknown) => {
      assert.ok(error instanceof OpError, String(error));
      return error;
    },
  );
}

async function metric(fixture: RpcFixture, line: string): Promise<boolean> {
  return (await fixture.registry.metrics()).includes(line);
}

test("health is answered to members only", async () => {
  await using fixture = await RpcFixture.open(new MemoryIngester());
  const { port } = fixture;
  assert.match(
    await ask(port, "GET /rpc/v1/health HTTP/1.1\r\nx-muninn-cluster: blue"),
    /^HTTP\/1\.1 200 OK[^]*\{"status":"ok"\}$/,
  );
  assert.match(await ask(port, "GET /rpc/v1/health HTTP/1.1"), /^HTTP\/1\.1 421 /);
});

test("the secret is asked for before anything else is said", async () => {
  await using fixture = await RpcFixture.open(new MemoryIngester(), { secret: "s3cret" });
  const { port } = fixture;
  for (const path of ["/", "/rpc/v1/health", "/rpc/v2/health", "/rpc/v1/ingester/push"]) {
    const answer = await ask(port, `POST ${path} HTTP/1.1\r\ncontent-length: 0`);
    assert.match(answer, /^HTTP\/1\.1 401 /, path);
    assert.match(answer, /"code":"rpc-unauthorized"/);
    assert.match(answer, /no secret came[^]*-server\.rpc-secret/);
    assert.doesNotMatch(answer, /blue|s3cret/);
  }
  for (const secret of ["s3cre", "s3cret\n", "S3cret", "ö"]) {
    const error = await rejected(fixture.client({ secret }).pushFrame("t", FRAME));
    assert.equal(error.code, "rpc-unauthorized", secret);
    assert.match(
      error.message,
      /^ingester ingester-1 \(127\.0\.0\.1:\d+\) refused.*secret is wrong/,
    );
    // It is between the members, and no fault of whoever wrote the sample.
    assert.equal(error.data["httpStatus"], 500);
  }
  await fixture.client({ secret: "s3cret" }).pushFrame("t", FRAME);
  assert.ok(await metric(fixture, 'muninn_rpc_server_rejected_total{reason="rpc-unauthorized"} 8'));
  const warnings = fixture.logger.lines.filter(({ level }) => level === "warn");
  assert.equal(warnings.length, 1, "a flood does not fill the log");
});

test("a member of another cluster is told both names", async () => {
  await using fixture = await RpcFixture.open(new MemoryIngester());
  const error = await rejected(fixture.client({ clusterLabel: "red" }).pushFrame("t", FRAME));
  assert.equal(error.code, "rpc-wrong-cluster");
  assert.match(error.message, /cluster "red" and this member to "blue"/);
});

test("labels and secrets may hold any characters", async () => {
  const odd = { clusterLabel: "blå %2F\n\u0000", secret: " \t ö\r\n" };
  await using fixture = await RpcFixture.open(new MemoryIngester(), odd);
  await fixture.client(odd).pushFrame("t", FRAME);
  const error = await rejected(fixture.client({ ...odd, clusterLabel: "%" }).pushFrame("t", FRAME));
  assert.match(error.message, /cluster "%" and this member to "blå %2F\\n\\u0000"/);
});

test("a caller of another version is told both versions", async () => {
  await using fixture = await RpcFixture.open(new MemoryIngester());
  const answer = await ask(
    fixture.port,
    "POST /rpc/v2/ingester/push HTTP/1.1\r\ncontent-length: 0",
  );
  assert.match(answer, /^HTTP\/1\.1 421 [^]*version 2 [^]*version 1/);
});

test("there is nothing but the registered paths", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester);
  const { port } = fixture;
  const status = async (line: string, headers = ""): Promise<string> => {
    const answer = await ask(
      port,
      `${line} HTTP/1.1\r\nx-muninn-cluster: blue\r\ncontent-length: 0${headers}`,
    );
    return answer.slice(9, 12);
  };
  const paths = ["/", "/metrics", "/api/v1/push", "/ready", "/rpc/v1/ingester/push?x=1", "/rpc/v1"];
  for (const path of paths) assert.equal(await status(`POST ${path}`), "404", path);
  assert.equal(await status("GET /rpc/v1/ingester/push"), "405");
  assert.equal(await status("POST /rpc/v1/health"), "405");
  assert.equal(await status("POST /rpc/v1/ingester/push"), "401");
  assert.equal(await status("POST /rpc/v1/ingester/push", "\r\nx-scope-orgid: a|b"), "400");
  assert.equal(await status("POST /rpc/v1/ingester/push", "\r\nx-scope-orgid: .."), "400");
  assert.equal(ingester.signals.length, 0);
});

test("a body that is too large or has no length is refused unread", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester, { bodySizeMaxBytes: 1000 });
  const client = fixture.client();
  await client.pushFrame("t", new Uint8Array(1000));
  const error = await rejected(client.pushFrame("t", new Uint8Array(3_000_000)));
  assert.equal(error.code, "body-too-large");
  assert.match(
    error.message,
    /3000000 bytes .* limit of 1000 bytes; .* -server\.rpc-max-recv-msg-size/,
  );
  await client.pushFrame("t", FRAME);
  const head = "POST /rpc/v1/ingester/push HTTP/1.1\r\nx-muninn-cluster: blue\r\nx-scope-orgid: t";
  const chunked = await ask(fixture.port, `${head}\r\ntransfer-encoding: chunked`, "0\r\n\r\n");
  assert.match(chunked, /^HTTP\/1\.1 400 [^]*no Content-Length/);
  assert.equal(ingester.pushes.length, 2);
});

test("the bodies of all calls together have a limit", async () => {
  const ingester = new MemoryIngester();
  let openGate = (): void => {};
  ingester.gate = new Promise((resolve) => {
    openGate = resolve;
  });
  await using fixture = await RpcFixture.open(ingester, { bodiesSizeMaxBytes: 1500 });
  const client = fixture.client();
  const first = client.pushFrame("t", new Uint8Array(1000));
  while (ingester.pushes.length < 1) await settle();
  const error = await rejected(client.pushFrame("t", new Uint8Array(501)));
  assert.equal(error.code, "rpc-overloaded");
  const second = client.pushFrame("t", new Uint8Array(500));
  while (ingester.pushes.length < 2) await settle();
  openGate();
  await Promise.all([first, second]);
  await client.pushFrame("t", new Uint8Array(1500));
});

test("garbage is answered with 400 and changes nothing", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester);
  const garbage = [
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\0".repeat(5000),
    "GET / HTTP/1.1\r\nno colon\r\n\r\n",
  ];
  for (const bytes of garbage) {
    await using client = await RawClient.open(fixture.port);
    await client.write(Buffer.from(bytes, "latin1"));
    await client.closed.catch(() => undefined);
    assert.match(client.text, /^(HTTP\/1\.1 400 Bad Request\r\n|$)/);
  }
  assert.ok(await metric(fixture, 'muninn_rpc_server_rejected_total{reason="garbage"} 4'));
  await fixture.client().pushFrame("t", FRAME);
  assert.equal(ingester.pushes.length, 1);
});

test("a request that is no JSON, or not the one asked for, is an error that says where", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester);
  const head = (path: string, size: number): string =>
    `POST /rpc/v1/ingester/${path} HTTP/1.1\r\nx-muninn-cluster: blue\r\nx-scope-orgid: t\r\ncontent-length: ${size}`;
  const cases = [
    ["select", "{", /not JSON/],
    ["select", '{"matchers":[{"type":"~","name":"a","value":"b"}]}', /matchers\.0\.type/],
    ["label-names", '{"matcherSets":[],"minTimeMs":0,"maxTimeMs":"x","limit":0}', /maxTimeMs/],
    ["label-values", '{"matcherSets":[],"minTimeMs":0,"maxTimeMs":1,"limit":0}', /name/],
    ["series", '{"matcherSets":[],"minTimeMs":0,"maxTimeMs":1,"limit":-1,"seriesMax":0}', /limit/],
  ] as const;
  for (const [path, body, where] of cases) {
    const answer = await ask(fixture.port, head(path, body.length), body);
    assert.match(answer, /^HTTP\/1\.1 400 [^]*"code":"rpc-malformed-request"/, path);
    assert.match(answer, where);
  }
  assert.equal(ingester.signals.length, 0);
});

test("a bug of the ingester stays there, with its text", async () => {
  const ingester = new MemoryIngester();
  ingester.failure = new TypeError("secret detail");
  await using fixture = await RpcFixture.open(ingester);
  const error = await rejected(fixture.client().pushFrame("t", FRAME));
  assert.equal(error.code, "ingester-bug");
  assert.doesNotMatch(error.message, /secret/);
  const line = fixture.logger.lines.find(({ level }) => level === "error");
  assert.equal(line?.fields["err"], ingester.failure);
});

test("shutdown lets a call finish and closes the connections that rest", async () => {
  const ingester = new MemoryIngester();
  await using fixture = await RpcFixture.open(ingester);
  await using silent = await RawClient.open(fixture.port);
  const client = fixture.client();
  await client.pushFrame("t", FRAME);
  let openGate = (): void => {};
  ingester.gate = new Promise((resolve) => {
    openGate = resolve;
  });
  const pushed = client.pushFrame("t", FRAME);
  while (ingester.pushes.length < 2) await settle();
  const down = fixture.server.shutdown();
  assert.equal(down, fixture.server.shutdown());
  openGate();
  await pushed;
  await down;
  await silent.closed.catch(() => undefined);
  const error = await rejected(client.pushFrame("t", FRAME));
  assert.equal(error.code, "ingester-unreachable");
  assert.equal(fixture.clock.timersWaiting, 0);
});

test("a port that is taken is an error that names the flag", async () => {
  await using fixture = await RpcFixture.open(new MemoryIngester());
  const error = await rejected(RpcFixture.open(new MemoryIngester(), { listenPort: fixture.port }));
  assert.equal(error.code, "listen-failed");
  assert.match(error.message, /-server\.rpc-listen-port/);
});

/** Listens and says whatever it likes. */
class RawServer implements AsyncDisposable {
  readonly server: Server;
  readonly sockets = new Set<Socket>();

  constructor(answer: (socket: Socket) => void) {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("data", () => answer(socket));
    });
  }

  static async open(answer: string | Uint8Array | ((socket: Socket) => void)): Promise<RawServer> {
    const raw = new RawServer(
      typeof answer === "function" ? answer : (socket) => void socket.end(answer),
    );
    raw.server.listen(0, "127.0.0.1");
    await once(raw.server, "listening");
    return raw;
  }

  get address(): string {
    const { port } = this.server.address() as { port: number };
    return `127.0.0.1:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }
}

function http(
  status: string,
  headers: Record<string, string | number>,
  body: string | Uint8Array = "",
): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status}\r\n${lines.join("")}\r\n`),
    Buffer.from(body as Uint8Array),
  ]);
}

test("whatever another server answers, the client gives an OpError that names the ingester", async () => {
  await using fixture = await RpcFixture.open(new MemoryIngester());
  const frame = encodeSeriesSet(emptySeriesSet());
  const damaged = frame.with(20, 1);
  const cases: [string | Uint8Array | ((socket: Socket) => void), string, RegExp][] = [
    ["not http at all\r\n\r\n", "ingester-unreachable", /HTTP|Parse/i],
    [(socket) => void socket.end(), "ingester-unreachable", /connection was closed/],
    [(socket) => void socket.resetAndDestroy(), "ingester-unreachable", /connection was closed/],
    [
      http("200 OK", { "content-length": 4 }, "oops"),
      "rpc-malformed-answer",
      /too few for a frame/,
    ],
    [
      http("200 OK", { "transfer-encoding": "chunked" }, "0\r\n\r\n"),
      "rpc-malformed-answer",
      /no Content-Length/,
    ],
    [http("204 No Content", {}), "rpc-malformed-answer", /something else came/],
    [
      http("502 Bad Gateway", { "content-length": 5 }, "proxy"),
      "rpc-malformed-answer",
      /answered 502/,
    ],
    [
      http("500 No", { "content-length": 25 }, '{"code":"X y","message":1'),
      "rpc-malformed-answer",
      /answered 500/,
    ],
    [
      http("200 OK", { "content-length": damaged.length }, damaged),
      "rpc-malformed-answer",
      /series set is malformed/,
    ],
    [
      http("200 OK", { "content-length": frame.length }, frame.subarray(0, 50)),
      "ingester-unreachable",
      /connection was closed/,
    ],
    [
      http("200 OK", { "content-length": 5000 }),
      "ingester-answer-too-large",
      /of 5000 bytes of ingester ingester-7 .* limit of 1000 bytes, set by -ingester\.client\.max-response-size/,
    ],
    [
      http(
        "500 No",
        { "transfer-encoding": "chunked" },
        `200000\r\n${"x".repeat(0x200000)}\r\n0\r\n\r\n`,
      ),
      "ingester-answer-too-large",
      /1048576/,
    ],
  ];
  for (const [answer, code, text] of cases) {
    await using server = await RawServer.open(answer);
    const client = fixture.client(
      { responseSizeMaxBytes: 1000 },
      { instanceId: "ingester-7", address: server.address },
    );
    const error = await rejected(client.select("t", SELECT));
    assert.equal(error.code, code, `${error.code} ${error.message}`);
    assert.match(error.message, text);
    assert.match(error.message, /ingester-7/);
    await client.close();
  }
});

test("nobody there, no such name, no address", async () => {
  await using fixture = await RpcFixture.open(new MemoryIngester());
  await using gone = await RawServer.open("");
  const { address } = gone;
  await gone[Symbol.asyncDispose]().catch(() => undefined);
  const cases: [string, RegExp][] = [
    [address, /nobody listens there \(ECONNREFUSED\)/],
    ["no-such-host.invalid:1", /host name/],
    ["not an address", /Invalid URL/],
    ["", /Invalid URL/],
  ];
  for (const [to, text] of cases) {
    const client = fixture.client({}, { instanceId: "ingester-7", address: to });
    const error = await rejected(client.pushFrame("t", FRAME));
    assert.equal(error.code, "ingester-unreachable");
    assert.match(error.message, text);
    assert.deepEqual([error.data["instance"], error.data["address"]], ["ingester-7", to]);
  }
});

test("an ingester that says nothing is given up after the timeout; of reads it learns that", async () => {
  const ingester = new MemoryIngester();
  ingester.gate = new Promise(() => {});
  await using fixture = await RpcFixture.open(ingester);
  const client = fixture.client({ pushTimeoutMs: 2000, readTimeoutMs: 30_000 });
  const pushed = rejected(client.pushFrame("t", FRAME));
  const selected = rejected(client.select("t", SELECT));
  while (ingester.signals.length < 2) await settle();
  await fixture.clock.advance(2000);
  assert.deepEqual((await pushed).code, "ingester-timeout");
  assert.match((await pushed).message, /ingester-1 .* within 2000 ms/);
  await fixture.clock.advance(28_000);
  assert.deepEqual((await selected).code, "ingester-timeout");
  while (ingester.signals.filter((signal) => signal?.aborted).length < 1) await settle();
  assert.equal(fixture.clock.timersWaiting, 0);
});

test("a read that waits for a connection can be given up, and is never sent", async () => {
  const ingester = new MemoryIngester();
  let openGate = (): void => {};
  ingester.gate = new Promise((resolve) => {
    openGate = resolve;
  });
  await using fixture = await RpcFixture.open(ingester);
  const client = fixture.client({ connectionsMax: 1 });
  const first = client.select("t", SELECT);
  while (ingester.signals.length < 1) await settle();
  const controller = new AbortController();
  const second = rejected(client.select("given-up", { ...SELECT, signal: controller.signal }));
  controller.abort();
  assert.equal((await second).code, "canceled");
  openGate();
  await first;
  await client.select("t", SELECT);
  assert.equal(ingester.signals.length, 2);
});
