/** What a person does with a cluster: takes instances out of service, asks the ring and mends it, tries it all on one machine. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { request } from "undici";
import { Cluster, ringOf, seenBy } from "./harness/cluster.ts";
import type { ClusterNode } from "./harness/cluster-node.ts";
import { runTool, startMuninn } from "./harness/cluster-tool.ts";
import { ClusterReader, ClusterWriter } from "./harness/cluster-writer.ts";
import { temporaryFolder } from "./harness/folder.ts";
import { pollUntil } from "./harness/poll.ts";
import { Api } from "./harness/query.ts";
import { encodeBody, WRITE_HEADERS } from "./harness/remote-write.ts";

const TENANT = "operations";

test("instances go out of service: read-only, flushed, unregistered, shut down", async (context) => {
  await using cluster = await Cluster.start({ ingesters: 5, distributors: 1 });
  const [distributor] = cluster.distributors;
  assert.ok(distributor !== undefined);
  const writer = new ClusterWriter({ tenant: TENANT, targets: () => [distributor.muninn] });
  const reader = new ClusterReader(writer, cluster.api(TENANT));
  writer.start();
  await writer.acknowledges(20);
  reader.start();

  const quiet = cluster.node("ingester-1");
  await quiet.takesSamples();
  await post(quiet, "/ingester/prepare-instance-ring-downscale", 200);
  await pollUntil("the ring to say read-only", 20_000, async () => {
    const shown = (await ringOf(distributor.muninn)).find(({ id }) => id === quiet.name);
    return shown?.read_only === true && shown.state === "ACTIVE" ? true : undefined;
  });
  await writer.acknowledges(5);
  const before = await quiet.metric("cortex_ingester_ingested_samples_total");
  await writer.acknowledges(20);
  const after = await quiet.metric("cortex_ingester_ingested_samples_total");
  assert.equal(after, before, "writes avoid it");
  await post(quiet, "/ingester/flush", 204);
  const { status } = await quiet.muninn.request("/ingester/prepare-instance-ring-downscale", {
    method: "DELETE",
  });
  assert.equal(status, 200);
  await quiet.takesSamples();

  await post(quiet, "/ingester/prepare-shutdown", 204);
  assert.deepEqual(await quiet.stop(), { code: 0, signal: null }, quiet.muninn.program.output);
  await cluster.seen({ [quiet.name]: undefined });

  const last = cluster.node("ingester-2");
  await post(last, "/ingester/shutdown", 204);
  const ready = await last.muninn.request("/ready");
  assert.equal(ready.status, 503);
  assert.match(ready.body, /shut down/);
  await seenBy(distributor.muninn, { [last.name]: undefined });

  await writer.acknowledges(20);
  await Promise.all([writer.stop(), reader.stop()]);
  assert.deepEqual(writer.refusals, [], "no write failed");
  assert.deepEqual(reader.failures, [], "no query failed or lacked a sample");
  context.diagnostic(writer.latencyText());
});

test("muninn tool ring: list, status, verify, evict", async () => {
  await using cluster = await Cluster.start({ ingesters: 4, distributors: 1 });
  const urls = cluster.running.map(({ muninn }) => `--url=${muninn.url}`);
  const dead = cluster.node("ingester-4");

  const list = await runTool("ring", "list", ...urls);
  assert.equal(list.code, 0, list.output);
  for (const { name, place } of cluster.ingesters) {
    assert.match(list.output, new RegExp(`${name} +ACTIVE .*${place.host}:${place.rpcPort}`));
  }
  const status = await runTool("ring", "status", ...urls);
  assert.equal(status.code, 0, status.output);
  assert.match(status.output, /4 ACTIVE/);
  assert.match(status.output, /all keys can be written to/);

  const unknown = await evict("ingester-9", ...urls);
  assert.equal(unknown.code, 2, unknown.output);
  assert.match(unknown.output, /no instance ingester-9/);
  const alive = await evict(dead.name, ...urls);
  assert.equal(alive.code, 1, alive.output);
  assert.match(alive.output, /is alive/);
  assert.match(alive.output, /Nothing was changed/);

  await dead.kill();
  await cluster.seen({ [dead.name]: "UNHEALTHY" });
  const rest = cluster.running.map(({ muninn }) => `--url=${muninn.url}`);
  const broken = await runTool("ring", "verify", ...rest);
  assert.equal(broken.code, 1, broken.output);
  assert.match(broken.output, /problem \(unhealthy\): ingester-4/);

  const elsewhere = await evict(dead.name, "--address=10.0.0.1:9095", ...rest);
  assert.equal(elsewhere.code, 2, elsewhere.output);
  const { host, rpcPort } = dead.place;
  const evicted = await evict(dead.name, `--address=${host}:${rpcPort}`, ...rest);
  assert.equal(evicted.code, 0, evicted.output);
  await cluster.seen({ [dead.name]: undefined });
  const gone = await evict(dead.name, ...rest);
  assert.equal(gone.code, 2, gone.output);

  // It lives after all.
  await dead.start();
  await cluster.settled();
});

test("a second dead one is not evicted unless forced: then queries go on, and say what they may lack", async () => {
  await using cluster = await Cluster.start({ ingesters: 4, distributors: 1 });
  const querier = cluster.node("querier-1").muninn;
  const query = `/prometheus/api/v1/query?query=up&time=${Date.now() / 1000}`;
  const dead = [cluster.node("ingester-1"), cluster.node("ingester-2")];
  for (const ingester of dead) await ingester.kill();
  await cluster.seen({ "ingester-1": "UNHEALTHY", "ingester-2": "UNHEALTHY" });
  const urls = cluster.running.map(({ muninn }) => `--url=${muninn.url}`);
  const refused = await evict("ingester-1", ...urls);
  assert.equal(refused.code, 1, refused.output);
  assert.match(refused.output, /refused: /);
  await cluster.seen({ "ingester-1": "UNHEALTHY" });
  const failed = await querier.request(query, { tenant: TENANT });
  assert.match(String(failed.status), /^5/, failed.body);
  assert.match(failed.body, /ingester-1 .*ingester-2 |ingester-2 .*ingester-1 /);
  const forced = await evict("ingester-1", "--force", ...urls);
  assert.equal(forced.code, 0, forced.output);
  await cluster.seen({ "ingester-1": undefined });
  const answer = await querier.request(query, { tenant: TENANT });
  assert.equal(answer.status, 200, answer.body);
  const { warnings } = JSON.parse(answer.body) as { warnings?: string[] };
  assert.match(String(warnings), /may be missing.*ingester-1/);
});

test("muninn dev-cluster: starts, takes a push, answers a query, and ends with SIGINT", async () => {
  await using folder = await temporaryFolder("dev-cluster");
  const program = startMuninn(
    "dev-cluster",
    "--ingesters=3",
    `--data-dir=${folder.path}`,
    "--port-offset=40000",
    "--",
    "-ingester.ring.observe-period=500ms",
  );
  const pids: number[] = [];
  try {
    await pollUntil("its table", 60_000, () => {
      assert.equal(program.exit, undefined, program.output);
      return program.output.includes("Ctrl-C") ? true : undefined;
    });
    for (const [, pid] of program.output.matchAll(/^\S+-\d +http:\S+ +\d+ +\d+ +(\d+)$/gm)) {
      pids.push(Number(pid));
    }
    assert.equal(pids.length, 5, program.output);
    const push = urlAfter("push", program.output);
    const timestampMs = Date.now();
    const { statusCode, body } = await request(push, {
      method: "POST",
      headers: { ...WRITE_HEADERS, "x-scope-orgid": "demo" },
      body: encodeBody([{ labels: { __name__: "tried" }, samples: [{ timestampMs, value: 7 }] }]),
    });
    assert.equal(statusCode, 200, await body.text());
    const api = new Api(urlAfter("query", program.output), "demo");
    const found = await api.instant("tried", timestampMs);
    assert.match(JSON.stringify(found.result), /"7"/);

    const exit = await program.stop("SIGINT");
    assert.deepEqual(exit, { code: 0, signal: null }, program.output);
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  } finally {
    if (program.exit === undefined) await program.stop("SIGTERM");
  }
});

test("three processes with all components are a cluster: what one took, the others have", async () => {
  await using cluster = await Cluster.start({ all: 3 });
  const [first, second, third] = cluster.nodes;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const timestampMs = Date.now();
  const pushed = await first.muninn.push(TENANT, [
    { labels: { __name__: "spread" }, samples: [{ timestampMs, value: 42 }] },
  ]);
  assert.equal(pushed.status, 200, pushed.body);
  await first.kill();
  for (const { muninn } of [second, third]) {
    const found = await new Api(`${muninn.url}/prometheus`, TENANT).instant("spread", timestampMs);
    assert.match(JSON.stringify(found.result), /"42"/);
  }
  const again = await second.muninn.push(TENANT, [
    { labels: { __name__: "spread" }, samples: [{ timestampMs: timestampMs + 1000, value: 43 }] },
  ]);
  assert.equal(again.status, 200, again.body);
});

async function post({ name, muninn }: ClusterNode, path: string, wanted: number): Promise<void> {
  const { status, body } = await muninn.request(path, { method: "POST" });
  assert.equal(status, wanted, `POST ${path} at ${name}: ${body}`);
}

function evict(id: string, ...words: readonly string[]): ReturnType<typeof runTool> {
  return runTool("ring", "evict", "--ring-name=ingester", `--instance-id=${id}`, ...words);
}

/** Of a line "push   http://…". */
function urlAfter(word: string, output: string): string {
  const url = new RegExp(`^${word} +(http:\\S+)`, "m").exec(output)?.[1];
  assert.ok(url !== undefined, output);
  return url;
}
