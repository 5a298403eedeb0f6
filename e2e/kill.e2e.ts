/**
 * Durability: Muninn is killed with SIGKILL at random moments while it is being written to, twenty times on the
 * same data directory. After each restart every acknowledged sample is there. (The kernel keeps written pages
 * when a process dies, so this holds with the default `wal.sync`; loss of power is the file system's test.)
 *
 * Replay a run with SEED=number (moments of the kills; the scheduling of the machine stays what it is).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryFolder } from "./harness/folder.ts";
import { Muninn } from "./harness/muninn.ts";
import { delay } from "./harness/poll.ts";
import { Api } from "./harness/query.ts";
import { RecordingWriter } from "./harness/writer.ts";

const KILLS = Number(process.env["KILLS"] ?? 20);
const FLAGS = [
  "-distributor.ingestion-rate-limit=10000000",
  "-distributor.ingestion-burst-size=10000000",
];

test(`${KILLS} kills, nothing acknowledged is lost`, async (context) => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 32);
  context.diagnostic(`SEED=${seed}`);
  const random = mulberry32(seed);
  await using folder = await temporaryFolder("kill");
  const writer = new RecordingWriter({
    tenant: "kill",
    metric: "written",
    connections: 4,
    seriesPerRequest: 50,
    startMs: Date.now() - 3_600_000,
    stepMs: 100,
  });
  for (let kill = 1; kill <= KILLS; kill++) {
    await using muninn = await Muninn.start({ dataDirectory: folder.path, flags: FLAGS });
    const api = new Api(`${muninn.url}/prometheus`, "kill");
    if (kill > 1) await writer.verify(api);
    const before = writer.acknowledgedRequests;
    const writing = writer.run(muninn);
    await writer.nextAcknowledgement();
    await delay(random() * 1000);
    await muninn.stop("SIGKILL");
    await writing;
    assert.ok(writer.acknowledgedRequests > before, "something was written before the kill");
  }
  await using muninn = await Muninn.start({ dataDirectory: folder.path, flags: FLAGS });
  const seen = await writer.verify(new Api(`${muninn.url}/prometheus`, "kill"));
  assert.deepEqual([...writer.refusals.keys()], ["broken"], writer.lastRefusal);
  context.diagnostic(`${writer.acknowledgedSamples} samples acknowledged, ${seen} stored`);
});

/** mulberry32 (Tommy Ettinger, public domain): a seed is enough to replay. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
