/**
 * A cluster of processes under load while things break: three ingesters, two distributors, a querier. A writer behaves as
 * Prometheus does and records what was acknowledged; a reader asks for it all the time. In each test:
 *
 * - as long as two ingesters are well, no push is answered with 5xx and no query fails;
 * - no query has ever an answer without a sample that was acknowledged before it was asked;
 * - in the end every acknowledged sample is there, with its value.
 *
 * FREEZE_SECONDS=120 makes the test of a frozen ingester as long as that, PAUSE_MS=0 the load higher.
 */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { test } from "node:test";
import { Cluster, HEARTBEAT_TIMEOUT_MS } from "./harness/cluster.ts";
import { ClusterReader, ClusterWriter } from "./harness/cluster-writer.ts";
import { delay, pollUntil } from "./harness/poll.ts";
import { unlessRoot } from "./harness/requirements.ts";
import { SmallDisk } from "./harness/small-disk.ts";

const TENANT = "cluster";
/** In any order. */
const BOTH = /ingester-1 .*ingester-3 |ingester-3 .*ingester-1 /s;
const PAUSE_MS = Number(process.env["PAUSE_MS"] ?? 20);
const FREEZE_MS = Number(process.env["FREEZE_SECONDS"] ?? 20) * 1000;

interface Load extends AsyncDisposable {
  readonly writer: ClusterWriter;
  readonly reader: ClusterReader;
  /** Ends it, and checks everything that was written. `outage`: pushes and queries may have failed. */
  finish(options?: { readonly outage: boolean }): Promise<string>;
}

async function loadOn(cluster: Cluster): Promise<Load> {
  const targets = (): ReturnType<typeof muninns> => muninns(cluster);
  const writer = new ClusterWriter({ tenant: TENANT, targets, pauseMs: PAUSE_MS });
  const reader = new ClusterReader(writer, cluster.api(TENANT));
  writer.start();
  await writer.acknowledges(5);
  reader.start();
  const stop = async (): Promise<void> => {
    await Promise.all([writer.stop(), reader.stop()]);
  };
  return {
    writer,
    reader,
    finish: async ({ outage } = { outage: false }) => {
      await stop();
      const seen = await writer.verify(cluster.api(TENANT));
      if (!outage) assertNoOutage(writer, reader);
      return `${writer.acknowledgedSamples} samples acknowledged, ${seen} stored, ${reader.queries} queries; ${writer.latencyText()}`;
    },
    [Symbol.asyncDispose]: stop,
  };
}

function muninns(cluster: Cluster) {
  return cluster.distributors.map(({ muninn }) => muninn);
}

function assertNoOutage(writer: ClusterWriter, reader: ClusterReader): void {
  assert.deepEqual(writer.serverErrors, [], "no push is answered with 5xx");
  assert.deepEqual(reader.failures, [], "no query fails or lacks a sample");
}

test("each ingester in turn is killed and comes back, the last one without its disk", async (context) => {
  await using cluster = await Cluster.start();
  await using load = await loadOn(cluster);
  // The first one for longer than the heartbeat timeout, the others come back before anybody calls them dead.
  const deaths = [
    { name: "ingester-1", deadMs: HEARTBEAT_TIMEOUT_MS + 2000, losesDisk: false },
    { name: "ingester-2", deadMs: 2000, losesDisk: false },
    { name: "ingester-3", deadMs: 2000, losesDisk: true },
  ];
  for (const { name, deadMs, losesDisk } of deaths) {
    const ingester = cluster.node(name);
    await ingester.kill();
    await delay(deadMs);
    if (losesDisk) await rm(ingester.dataDirectory, { recursive: true });
    await load.writer.acknowledges(5);
    await ingester.start();
    await cluster.settled();
    await ingester.takesSamples();
    assertNoOutage(load.writer, load.reader);
  }
  context.diagnostic(await load.finish());
});

test("rolling restart of all ingesters, then of the distributors", async (context) => {
  await using cluster = await Cluster.start();
  await using load = await loadOn(cluster);
  for (const ingester of cluster.ingesters) {
    const exit = await ingester.stop();
    assert.deepEqual(exit, { code: 0, signal: null }, ingester.muninn.program.output);
    await ingester.start();
    assertNoOutage(load.writer, load.reader);
  }
  assert.deepEqual(load.writer.refusals, [], "the restart of an ingester is nobody's error");
  for (const distributor of cluster.distributors) {
    const exit = await distributor.stop();
    assert.deepEqual(exit, { code: 0, signal: null }, distributor.muninn.program.output);
    await distributor.start();
    await load.writer.acknowledges(5);
    assertNoOutage(load.writer, load.reader);
  }
  context.diagnostic(load.writer.refusalText());
  context.diagnostic(await load.finish());
});

test("one ingester is frozen", async (context) => {
  await using cluster = await Cluster.start();
  await using load = await loadOn(cluster);
  const [distributor] = cluster.distributors;
  const frozen = cluster.node("ingester-2");
  assert.ok(distributor !== undefined);
  await load.writer.acknowledges(50);
  context.diagnostic(`before: ${load.writer.latencyText()}`);
  const before = await distributor.memoryMebibytes();
  frozen.freeze();
  let highest = before;
  for (const endMs = performance.now() + FREEZE_MS; performance.now() < endMs; ) {
    await delay(500);
    highest = Math.max(highest, await distributor.memoryMebibytes());
  }
  await load.writer.acknowledges(5);
  context.diagnostic(`frozen for ${FREEZE_MS / 1000} s: ${load.writer.latencyText()}`);
  context.diagnostic(`memory of a distributor: ${before} MiB before, at most ${highest} MiB`);
  frozen.thaw();
  await cluster.settled();
  await frozen.takesSamples();
  context.diagnostic(await load.finish());
});

test("one ingester is frozen for a moment, and as soon as it is back another one dies", async (context) => {
  await using cluster = await Cluster.start();
  await using load = await loadOn(cluster);
  await load.writer.acknowledges(50);
  const frozen = cluster.node("ingester-1");
  frozen.freeze();
  // Pushes to it have timed out by now, and the ring has not noticed anything.
  await delay(HEARTBEAT_TIMEOUT_MS - 1000);
  frozen.thaw();
  await frozen.takesSamples();
  await cluster.node("ingester-2").kill();
  await load.writer.acknowledges(50);
  assertNoOutage(load.writer, load.reader);
  await cluster.node("ingester-2").start();
  await cluster.settled();
  context.diagnostic(await load.finish());
});

test("one ingester has a full disk", { skip: unlessRoot() }, async (context) => {
  await using disk = await SmallDisk.mount(64);
  const dataDirectories = { "ingester-1": `${disk.path}/data` };
  await using cluster = await Cluster.start({ dataDirectories });
  await using load = await loadOn(cluster);
  const full = cluster.node("ingester-1");
  await full.takesSamples();
  disk.fill();
  await pollUntil("it to say that it takes no pushes", 30_000, async () => {
    const { body } = await full.muninn.request("/ready");
    return /pushes are refused/.test(body) ? true : undefined;
  });
  await delay(5000);
  await load.writer.acknowledges(5);
  disk.free();
  await full.takesSamples();
  context.diagnostic(await load.finish());
});

test("two of three are dead: writes and queries fail and name them, and recover by themselves", async (context) => {
  await using cluster = await Cluster.start();
  await using load = await loadOn(cluster);
  const dead = [cluster.node("ingester-1"), cluster.node("ingester-3")];
  for (const ingester of dead) await ingester.kill();
  await cluster.seen({ "ingester-1": "UNHEALTHY", "ingester-3": "UNHEALTHY" });
  load.writer.refusals.length = 0;
  load.reader.failures.length = 0;
  await pollUntil("failures to be noticed", 30_000, () =>
    load.writer.serverErrors.length > 3 && load.reader.failures.length > 3 ? true : undefined,
  );
  for (const { outcome, text } of load.writer.refusals) {
    assert.match(outcome, /^5/);
    assert.match(text, BOTH, "a refused push names who is missing");
  }
  for (const failure of load.reader.failures) {
    assert.match(failure, /answered 5\d\d/);
    assert.match(failure, BOTH, "so does a failed query");
  }
  context.diagnostic(load.writer.refusalText());
  await Promise.all(dead.map((ingester) => ingester.start()));
  await cluster.settled();
  load.writer.refusals.length = 0;
  await load.writer.acknowledges(20);
  context.diagnostic(await load.finish({ outage: true }));
});
