/** What protects an ingester as a whole: each limit refuses, changes while it runs, and lets go again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IngesterInstanceLimits } from "../../src/ingester/options.ts";
import { seriesBatch } from "../testkit/series-batch.ts";
import { IngesterFixture } from "./ingester-fixture.ts";

const START = 1_700_000_000_000;
const one = (name = "m", timeMs = START) => [
  { labels: { __name__: name }, samples: [[timeMs, 1]] as [number, number][] },
];

async function start(): Promise<{
  readonly fixture: IngesterFixture;
  readonly set: (limits: Partial<IngesterInstanceLimits>) => void;
  readonly metric: (name: string, label?: string) => Promise<number | undefined>;
}> {
  let limits: Partial<IngesterInstanceLimits> = {};
  const fixture = await IngesterFixture.start({ instanceLimits: () => limits });
  return {
    fixture,
    set: (changed) => {
      limits = changed;
    },
    metric: async (name, label) => {
      const values = (await fixture.registry.getSingleMetric(name)?.get())?.values ?? [];
      return values.find(({ labels }) => label === undefined || Object.values(labels)[0] === label)
        ?.value;
    },
  };
}

test("pushes under way: by number and by bytes", async () => {
  const { fixture, set, metric } = await start();
  await fixture.push("t", one());
  const begin = () => fixture.ingester.push("t", seriesBatch(one("m", START + 1), false));
  const bytes = 36;
  for (const [name, limit, below] of [
    ["max_inflight_push_requests", { maxInflightPushRequests: 1 }, {}],
    [
      "max_inflight_push_requests_bytes",
      { maxInflightPushRequestsBytes: bytes },
      { maxInflightPushRequestsBytes: bytes + 1 },
    ],
  ] as const) {
    set(limit);
    const first = begin();
    assert.equal(await metric("cortex_ingester_inflight_push_requests_bytes"), bytes);
    await assert.rejects(begin(), {
      code: `ingester-${name.replaceAll("_", "-")}`,
      message: new RegExp(`err-mimir-ingester-${name.replaceAll("_", "-")}\\)`),
    });
    set(below);
    const second = begin();
    set(limit);
    await Promise.all([first, second]);
    await begin();
    assert.equal(
      await metric("cortex_ingester_instance_rejected_requests_total", `ingester_${name}`),
      1,
    );
    assert.equal(
      await metric("cortex_ingester_instance_limits", name),
      Object.values(limit)[0],
      "the gauge shows the limit in force",
    );
  }
  assert.equal(await metric("cortex_ingester_inflight_push_requests_bytes"), 0);
  await fixture.ingester.stop();
});

test("samples a second, as a moving average", async () => {
  const { fixture, set, metric } = await start();
  set({ maxIngestionRate: 100 });
  const samples = Array.from({ length: 150 }, (_, i): [number, number] => [START + i, i]);
  await fixture.push("t", [{ labels: { __name__: "m" }, samples }]);
  await fixture.push("t", one("n"));
  await fixture.clock.advance(1000);
  assert.equal(await metric("cortex_ingester_ingestion_rate_samples_per_second"), 151);
  await assert.rejects(fixture.push("t", one("n", START + 1)), {
    code: "ingester-max-ingestion-rate",
    message: /err-mimir-ingester-max-ingestion-rate/,
  });
  await fixture.clock.advance(2000);
  assert.deepEqual((await fixture.push("t", one("n", START + 1))).rejected, []);
  await fixture.ingester.stop();
});

test("tenants: no new one beyond the limit, and none that is on disk is left out", async () => {
  const { fixture, set, metric } = await start();
  set({ maxTenants: 2 });
  await fixture.push("a", one());
  await fixture.push("b", one());
  await assert.rejects(fixture.push("c", one()), {
    code: "ingester-max-tenants",
    message: /has 2 tenants already \(err-mimir-ingester-max-tenants\)/,
  });
  assert.equal(
    await metric("cortex_ingester_instance_rejected_requests_total", "ingester_max_tenants"),
    1,
  );
  await fixture.push("b", one("m", START + 1));
  set({ maxTenants: 3 });
  await fixture.push("c", one());
  await fixture.ingester.stop();

  const { files } = fixture;
  const again = await IngesterFixture.start({ files, instanceLimits: () => ({ maxTenants: 1 }) });
  assert.deepEqual(again.ingester.status.tenants.map(({ tenant }) => tenant).sort(), [
    "a",
    "b",
    "c",
  ]);
  await again.ingester.stop();
});

test("series of all tenants together: known ones go on", async () => {
  const { fixture, set } = await start();
  set({ maxSeries: 2 });
  await fixture.push("a", one());
  await fixture.push("b", one());
  const { rejected } = await fixture.push("a", one("new"));
  assert.deepEqual(
    rejected.map(({ reason, limit }) => [reason, limit]),
    [["ingester-max-series", 2]],
  );
  assert.deepEqual((await fixture.push("a", one("m", START + 1))).rejected, []);
  set({ maxSeries: 3 });
  assert.deepEqual((await fixture.push("a", one("new"))).rejected, []);
  await fixture.ingester.stop();
});
