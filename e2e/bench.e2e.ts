/** Every benchmark program at a size of seconds, as it is run by hand, so that none rots. Its figures mean nothing. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const MAIN = join(import.meta.dirname, "../bench/main.ts");
const TIMEOUT_MS = 120_000;

function run(...args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  return { status, output: stdout + stderr };
}

const ROWS: Readonly<Record<string, readonly string[]>> = {
  ingest: ["ingest-cpu", "ingest-rate", "wal-bytes"],
  paced: ["paced-cpu", "paced-p99"],
  "new-series": ["new-series-cpu", "memory-per-series"],
  restart: ["restart"],
  "query-24h": ["query-24h-cpu", "query-24h-p50"],
  "write-latency-under-query": ["push-p99", "push-p99-under-query"],
  "gossip-convergence": ["gossip-change-p50", "gossip-packets", "gossip-bytes", "gossip-death"],
  "ring-lookup": ["ring-lookup", "ring-placement"],
  replication: ["replication-cpu", "replica-bytes", "replication-p99"],
  recovery: ["recovery", "recovery-cpu"],
};

for (const [program, rows] of Object.entries(ROWS)) {
  test(`bench ${program}`, () => {
    const { status, output } = run(program, "--smoke");
    assert.equal(status, 0, output);
    for (const row of rows) assert.match(output, new RegExp(`^${row} +Muninn [0-9.]+`, "m"));
  });
}

test("the list of programs is the one above", () => {
  const { status, output } = run();
  assert.equal(status, 0, output);
  for (const program of Object.keys(ROWS)) assert.match(output, new RegExp(`^  ${program} `, "m"));
  assert.equal(run("nothing-like-that").status, 1);
});
