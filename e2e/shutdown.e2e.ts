/** SIGTERM: no new work, requests under way are answered, everything is on disk, exit 0. A second one: at once. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { temporaryFolder } from "./harness/folder.ts";
import { Muninn } from "./harness/muninn.ts";
import { pollUntil } from "./harness/poll.ts";
import { Api } from "./harness/query.ts";
import { encodeBody } from "./harness/remote-write.ts";
import { RecordingWriter } from "./harness/writer.ts";

const TENANT = "shutdown";

test("SIGTERM while writing: exit 0, and a restart has every acknowledged sample", async () => {
  await using folder = await temporaryFolder("shutdown");
  const writer = new RecordingWriter({
    tenant: TENANT,
    metric: "written",
    connections: 4,
    seriesPerRequest: 20,
    startMs: Date.now() - 600_000,
    stepMs: 100,
  });
  {
    await using muninn = await Muninn.start({ dataDirectory: folder.path });
    const writing = writer.run(muninn);
    for (let i = 0; i < 20; i++) await writer.nextAcknowledgement();
    assert.deepEqual(
      await muninn.stop("SIGTERM"),
      { code: 0, signal: null },
      muninn.program.output,
    );
    await writing;
    const refusals = [...writer.refusals.keys()];
    assert.ok(
      refusals.every((status) => status === "broken" || status === "503"),
      `refused with ${refusals.join(", ")}`,
    );
  }
  await using muninn = await Muninn.start({ dataDirectory: folder.path });
  const api = new Api(`${muninn.url}/prometheus`, TENANT);
  await writer.verify(api);
});

test("a request under way at SIGTERM is answered", async () => {
  await using folder = await temporaryFolder("drain");
  const body = encodeBody([
    { labels: { __name__: "late" }, samples: [{ timestampMs: Date.now(), value: 7 }] },
  ]);
  {
    await using muninn = await Muninn.start({ dataDirectory: folder.path });
    const upload = await startUpload(muninn, body);
    muninn.program.signal("SIGTERM");
    await refusesConnections(muninn);
    upload.socket.write(body.subarray(upload.sent));
    assert.match(await upload.answer, /^HTTP\/1\.1 200 /);
    assert.deepEqual(await muninn.program.exited, { code: 0, signal: null });
  }
  await using muninn = await Muninn.start({ dataDirectory: folder.path });
  const stored = await new Api(`${muninn.url}/prometheus`, TENANT).samples("late[1h]", Date.now());
  assert.equal(stored.size, 1);
});

test("a second signal ends it at once", async () => {
  await using folder = await temporaryFolder("twice");
  await using muninn = await Muninn.start({ dataDirectory: folder.path });
  // A request that will never be complete keeps the first shutdown waiting.
  const upload = await startUpload(muninn, new Uint8Array(1000));
  muninn.program.signal("SIGTERM");
  await refusesConnections(muninn);
  assert.equal(muninn.program.exit, undefined, "it drains");
  const exit = await muninn.stop("SIGTERM");
  assert.notEqual(exit.code, 0, "an end without draining is not a clean one");
  upload.socket.destroy();
});

interface Upload {
  readonly socket: Socket;
  readonly sent: number;
  readonly answer: Promise<string>;
}

/** Sends the head of a push and half of its body, and waits until the server has begun with it. */
async function startUpload(muninn: Muninn, body: Uint8Array): Promise<Upload> {
  const socket = connect(muninn.port, "127.0.0.1");
  await once(socket, "connect");
  const answer = (async () => {
    let text = "";
    for await (const chunk of socket.setEncoding("utf8")) text += String(chunk);
    return text;
  })().catch(() => "");
  const sent = Math.floor(body.length / 2);
  const head = [
    "POST /api/v1/push HTTP/1.1",
    "Host: 127.0.0.1",
    `X-Scope-OrgID: ${TENANT}`,
    "Content-Type: application/x-protobuf",
    "Content-Encoding: snappy",
    `Content-Length: ${body.length}`,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  socket.write(body.subarray(0, sent));
  await pollUntil("the upload to be under way", 10_000, async () => {
    const { body: page } = await muninn.request("/metrics");
    return /^cortex_inflight_requests\{[^}]*push[^}]*\} [1-9]/m.test(page) ? true : undefined;
  });
  return { socket, sent, answer };
}

async function refusesConnections(muninn: Muninn): Promise<void> {
  await pollUntil("new connections to be refused", 10_000, async () => {
    const socket = connect(muninn.port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return undefined;
    } catch {
      return true;
    } finally {
      socket.destroy();
    }
  });
}
