/** Who may talk to a cluster: its two listeners, its secret, its label, and strangers at its ports. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { request } from "undici";
import { Cluster, ringOf } from "./harness/cluster.ts";
import type { ClusterNode } from "./harness/cluster-node.ts";
import { ClusterReader, ClusterWriter } from "./harness/cluster-writer.ts";
import { delay } from "./harness/poll.ts";
import { encodeBody } from "./harness/remote-write.ts";

const TENANT = "doors";
const RPC_PATHS = [
  "/rpc/v1/health",
  "/rpc/v1/ingester/push",
  "/rpc/v1/ingester/select",
  "/rpc/v1/ingester/label-names",
  "/rpc/v1/ingester/label-values",
  "/rpc/v1/ingester/series",
  "/rpc/v1/ingester/user-stats",
];
const PUBLIC_PATHS = [
  "/",
  "/ready",
  "/metrics",
  "/config",
  "/ingester/ring",
  "/ingester/flush",
  "/ingester/shutdown",
  "/api/v1/push",
  "/prometheus/api/v1/query?query=up",
];
const STRANGERS = 300;

test("the public port knows nothing of RPC, the RPC port nothing else; strangers do no harm", async (context) => {
  const flags = ["-server.rpc-secret=correct horse"];
  const flagsOf = { "distributor-2": ["-server.rpc-secret=battery staple"] };
  await using cluster = await Cluster.start({ flags, flagsOf });
  const [friend, stranger] = cluster.distributors;
  assert.ok(friend !== undefined && stranger !== undefined);
  const writer = new ClusterWriter({ tenant: TENANT, targets: () => [friend.muninn] });
  const reader = new ClusterReader(writer, cluster.api(TENANT));
  writer.start();
  await writer.acknowledges(5);
  reader.start();

  for (const node of cluster.nodes) {
    for (const path of RPC_PATHS) {
      for (const method of ["GET", "POST"] as const) {
        const { status } = await node.muninn.request(path, { method, tenant: TENANT });
        assert.equal(status, 404, `${method} ${path} on the public port of ${node.name}`);
      }
    }
    for (const path of [...PUBLIC_PATHS, ...RPC_PATHS]) {
      const { status, text } = await askRpc(node, path);
      assert.equal(status, 401, `${path} on the RPC port of ${node.name}: ${text}`);
    }
  }
  const known = { authorization: `Bearer ${Buffer.from("correct horse").toString("base64url")}` };
  const [ingester] = cluster.ingesters;
  assert.ok(ingester !== undefined);
  for (const path of PUBLIC_PATHS) {
    const { status } = await askRpc(ingester, path, { ...known, "x-muninn-cluster": "e2e" });
    assert.equal(status, 404, `${path} on the RPC port, with the secret`);
  }
  const foreign = await askRpc(ingester, "/rpc/v1/health", { ...known, "x-muninn-cluster": "x" });
  assert.ok(foreign.status >= 400 && foreign.status < 500, `another label: ${foreign.text}`);

  const answer = await stranger.muninn.push(TENANT, [
    { labels: { __name__: "smuggled" }, samples: [{ timestampMs: Date.now(), value: 1 }] },
  ]);
  assert.match(String(answer.status), /^5/, "a member without the secret cannot push");
  assert.match(answer.body, /secret/, "and is told why");

  await Promise.all(cluster.nodes.map((node) => bother(node)));
  await cluster.settled();
  await writer.acknowledges(20);
  await Promise.all([writer.stop(), reader.stop()]);
  assert.deepEqual(writer.refusals, []);
  assert.deepEqual(reader.failures, []);
  await writer.verify(cluster.api(TENANT));
  const smuggled = await cluster.api(TENANT).samples("smuggled[1h]", Date.now());
  assert.equal(smuggled.size, 0, "nothing of the stranger was stored");
  for (const node of cluster.nodes) {
    assert.equal(node.muninn.program.exit, undefined, `${node.name} still runs`);
    assert.doesNotMatch(node.muninn.program.output, /BUG/);
    assert.equal((await ringOf(node.muninn)).length, 3, "the ring has nobody new");
  }
  context.diagnostic(
    `${STRANGERS} datagrams and connections to each of ${cluster.nodes.length} nodes`,
  );
});

test("two clusters with different labels that are told to join each other stay two", async () => {
  const flagsOf = { "all-2": ["-memberlist.cluster-label=other"] };
  const flags = ["-ingester.ring.replication-factor=1"];
  await using cluster = await Cluster.launch({ all: 2, flags, flagsOf });
  await Promise.all(cluster.nodes.map((node) => node.muninn.ready()));
  // Both ask again and again.
  await delay(3000);
  for (const node of cluster.nodes) {
    const { body } = await node.muninn.request("/memberlist", {
      headers: { accept: "application/json" },
    });
    const { members } = JSON.parse(body) as { members: { name: string }[] };
    assert.deepEqual(
      members.map(({ name }) => name),
      [node.name],
    );
    assert.deepEqual(
      (await ringOf(node.muninn)).map(({ id }) => id),
      [node.name],
    );
    const series = [
      {
        labels: { __name__: "of", node: node.name },
        samples: [{ timestampMs: Date.now(), value: 1 }],
      },
    ];
    const pushed = await node.muninn.push(TENANT, series);
    assert.equal(pushed.status, 200, pushed.body);
  }
  const found = await cluster.api(TENANT).samples("of[1h]", Date.now() + 1000);
  assert.deepEqual([...found.keys()], ['[["__name__","of"],["node","all-1"]]']);
});

async function askRpc(
  { place: { host, rpcPort } }: ClusterNode,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string }> {
  const { statusCode, body } = await request(`http://${host}:${rpcPort}${path}`, {
    method: path.endsWith("push") ? "POST" : "GET",
    headers: { "x-scope-orgid": TENANT, ...headers },
    body: path.endsWith("push") ? encodeBody([]) : null,
  });
  return { status: statusCode, text: await body.text() };
}

/** Random bytes, in pieces of all sizes, at the gossip port and at the RPC port. */
async function bother({ place: { host, rpcPort, gossipPort } }: ClusterNode): Promise<void> {
  const datagrams = createSocket("udp4");
  for (let at = 0; at < STRANGERS; at++) {
    const bytes = randomBytes(1 + Math.floor((1400 * at) / STRANGERS));
    // Types of messages are small numbers: some should get beyond the first byte.
    if (at % 2 === 0) bytes[0] = at % 16;
    await new Promise((resolve) => datagrams.send(bytes, gossipPort, host, resolve));
    await shout(host, gossipPort, bytes);
    await shout(host, rpcPort, bytes);
  }
  datagrams.close();
}

async function shout(host: string, port: number, bytes: Uint8Array): Promise<void> {
  const socket = connect(port, host);
  const closed = once(socket, "close").catch(() => undefined);
  socket.on("error", () => undefined);
  socket.end(bytes);
  socket.resume();
  await Promise.race([closed, delay(50)]);
  socket.destroy();
}
