import assert from "node:assert/strict";
import { test } from "node:test";
import { GossipTarget } from "./gossip-target.ts";
import { RUNS_PER_BATCH } from "./target.ts";

test("a short run of the fuzzer at the gossip port from a fixed seed", async () => {
  const target = new GossipTarget(42);
  let accepted = 0;
  const runs = 8 * RUNS_PER_BATCH + 1;
  for (let index = 0; index < runs; index++) {
    if ((await target.run(index)) === "accepted") accepted++;
  }
  assert.ok(accepted > runs / 10 && accepted < (9 * runs) / 10, `${accepted} of ${runs}`);
});
