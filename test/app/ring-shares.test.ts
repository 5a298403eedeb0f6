import assert from "node:assert/strict";
import { test } from "node:test";
import { healthyMembers, localSeriesMax } from "../../src/app/ring-shares.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import type { Limits } from "../../src/model/limits.ts";
import { ringOf } from "../../src/ring/descriptor.ts";
import { Ring } from "../../src/ring/ring.ts";
import type { RingWatch } from "../../src/ring/ring-watch.ts";
import { grow, NOW_MS } from "../ring/fixture.ts";

/** A ring of `count`, of which the first `readOnly` take no writes. */
function ringWith(count: number, { readOnly = 0 } = {}): RingWatch {
  const ring = new Ring({
    replicationFactor: 3,
    zoneAware: false,
    heartbeatTimeoutMs: 60_000,
    shardsMax: 10,
  });
  const instances = grow({ count, tokenCount: 8 });
  ring.update(
    ringOf(instances.map((one, index) => ({ ...one, readOnly: index < readOnly }))),
    NOW_MS,
  );
  return ring as unknown as RingWatch;
}

function limits(maxGlobalSeriesPerUser: number, ingestionTenantShardSize = 0): Limits {
  return { ...defaultConfig().limits, maxGlobalSeriesPerUser, ingestionTenantShardSize };
}

test("an ingester holds its part of the tenant's series, each as often as it is replicated", () => {
  for (const [count, expected] of [
    [1, 1000],
    [3, 1000],
    [4, 750],
    [9, 334],
  ] as const) {
    assert.equal(localSeriesMax(limits(1000), ringWith(count), "t"), expected, `${count}`);
  }
  assert.equal(localSeriesMax(limits(0), ringWith(9), "t"), 0, "no limit");
  assert.equal(localSeriesMax(limits(1000), ringWith(0), "t"), 1000, "before anybody is known");
});

test("only those that take the tenant's writes share its limit", () => {
  assert.equal(localSeriesMax(limits(1000), ringWith(9, { readOnly: 5 }), "t"), 750);
  assert.equal(localSeriesMax(limits(1000, 4), ringWith(9), "t"), 750, "a shard of four");
});

test("a rate is shared by the healthy members, and there is always one", () => {
  assert.equal(healthyMembers(ringWith(0)), 1);
  assert.equal(healthyMembers(ringWith(5)), 5);
  assert.equal(healthyMembers(ringWith(5, { readOnly: 2 })), 3);
});
