/** One suite for what an IngesterClient promises, run on an ingester itself and on the same ingester behind sockets. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { OpError } from "../../../src/base/errors.ts";
import { labelValue } from "../../../src/model/labels.ts";
import type { IngesterClient } from "../../../src/rpc/ingester.ts";
import { emptySeriesSet } from "../../../src/storage/encoded-series.ts";
import type { LabelsRequest, SelectRequest } from "../../../src/storage/queryable.ts";
import { MemoryIngester } from "../../testkit/memory-ingester.ts";
import { decodeSeries, testSeries } from "../../testkit/memory-queryable.ts";
import { seriesSet } from "../../testkit/series-set.ts";
import { RpcFixture } from "./rpc-fixture.ts";

const SERIES = [
  testSeries({ __name__: "up", job: "a" }, 1000, 15_000, [1, 0, Number.NaN, -0]),
  testSeries({ __name__: "up", job: 'ö "x"\n\ud800' }, 1000, 15_000, [2, Infinity]),
  testSeries({ __name__: "down" }, 1000, 15_000, [3]),
];

const SELECT: SelectRequest = {
  matchers: [{ type: "=", name: "__name__", value: "up" }],
  minTimeMs: -Infinity,
  maxTimeMs: Infinity,
  limits: { seriesMax: 10, chunksMax: 0, chunkBytesMax: 2 ** 40 },
};

const LABELS: LabelsRequest = { matcherSets: [], minTimeMs: 0, maxTimeMs: 1e15, limit: 0 };

type Opened = AsyncDisposable & { readonly client: IngesterClient };

function conformance(name: string, open: (ingester: MemoryIngester) => Promise<Opened>): void {
  suite(name, () => {
    test("a push arrives as it was sent; its answer comes back", async () => {
      const ingester = new MemoryIngester();
      await using opened = await open(ingester);
      const frame = Uint8Array.from({ length: 52_000 }, (_, i) => i * 7);
      assert.deepEqual(await opened.client.pushFrame("team-a", frame), ingester.answer);
      ingester.answer = {
        unknownSeries: Uint32Array.of(0, 7, 4_294_967_295),
        rejected: [
          {
            reason: "sample-out-of-order",
            count: 3,
            seriesIndex: 1,
            timestampMs: -5,
            limit: 1_800_000,
          },
          { reason: "ingester-max-series", count: 1, seriesIndex: 0, timestampMs: 17 },
        ],
      };
      // A view into something larger, as a kernel gives it.
      assert.deepEqual(
        await opened.client.pushFrame("team-b!-_.*'()", frame.subarray(5, 10)),
        ingester.answer,
      );
      assert.deepEqual(await opened.client.pushFrame("team-b", new Uint8Array(0)), ingester.answer);
      assert.deepEqual(ingester.pushes, [
        { tenant: "team-a", frame },
        { tenant: "team-b!-_.*'()", frame: frame.slice(5, 10) },
        { tenant: "team-b", frame: new Uint8Array(0) },
      ]);
    });

    test("series come back with their samples, tenant by tenant", async () => {
      const ingester = new MemoryIngester({ "team-a": SERIES });
      await using opened = await open(ingester);
      const set = await opened.client.select("team-a", SELECT);
      assert.deepEqual(decodeSeries(set), SERIES.slice(0, 2).map(withoutLoneSurrogates));
      assert.deepEqual(await opened.client.select("unknown", SELECT), emptySeriesSet());
      const asked = ingester.selects[0];
      assert.deepEqual(asked?.limits, SELECT.limits);
      assert.deepEqual(asked.matchers, SELECT.matchers);
      assert.equal(asked.labelsWanted, undefined);
      await opened.client.select("team-a", { ...SELECT, labelsWanted: ["job"] });
      assert.deepEqual(ingester.selects.at(-1)?.labelsWanted, ["job"]);
    });

    test("a large set comes back whole", async () => {
      const ingester = new MemoryIngester();
      const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251);
      const columns = { timestampsMs: BigInt64Array.of(1n), values: Float64Array.of(1) };
      ingester.selectAnswer = seriesSet([{ labels: { a: "b" }, chunks: [{ columns, bytes }] }]);
      await using opened = await open(ingester);
      const set = await opened.client.select("team-a", SELECT);
      assert.equal(Buffer.compare(set.data, bytes), 0);
      assert.deepEqual({ ...set, data: [] }, { ...ingester.selectAnswer, data: [] });
    });

    test("names, values and label sets", async () => {
      const ingester = new MemoryIngester({ "team-a": SERIES });
      await using opened = await open(ingester);
      const { client } = opened;
      assert.deepEqual(await client.labelNames("team-a", LABELS), ["__name__", "job"]);
      assert.deepEqual(await client.labelNames("unknown", LABELS), []);
      assert.deepEqual(await client.labelValues("team-a", "__name__", LABELS), ["down", "up"]);
      assert.deepEqual(
        await client.labelValues("team-a", "job", {
          ...LABELS,
          matcherSets: [[{ type: "=~", name: "job", value: "a|b" }]],
        }),
        ["a"],
      );
      assert.deepEqual(await client.labelNames("team-a", { ...LABELS, limit: 1 }), ["__name__"]);
      const sets = await client.series("team-a", { ...LABELS, seriesMax: 0 });
      assert.equal(sets.length, 3);
      assert.deepEqual(sets.map((labels) => labelValue(labels, "job")).sort(), [
        "",
        "a",
        'ö "x"\n\ud800',
      ]);
    });

    test("statistics of tenants", async () => {
      const ingester = new MemoryIngester();
      await using opened = await open(ingester);
      assert.deepEqual(await opened.client.allUserStats(), []);
      ingester.stats = [{ tenant: "team-a", seriesCount: 12, samplesPerSecond: 0.25 }];
      assert.deepEqual(await opened.client.allUserStats(), ingester.stats);
    });

    test("errors keep their code, text and data", async () => {
      const ingester = new MemoryIngester();
      await using opened = await open(ingester);
      const { client } = opened;
      const calls: (() => Promise<unknown>)[] = [
        () => client.pushFrame("t", Uint8Array.of(1)),
        () => client.select("t", SELECT),
        () => client.labelNames("t", LABELS),
        () => client.labelValues("t", "job", LABELS),
        () => client.series("t", { ...LABELS, seriesMax: 5 }),
        () => client.allUserStats(),
      ];
      const data = { limit: 5, retryAfterSeconds: 1.5 };
      for (const error of [
        new OpError("max-series-per-query", "too many: “ö”", data),
        new OpError("wal-blocked", "no space left", {}),
        new OpError("head-full", "x".repeat(100_000), { httpStatus: 503 }),
      ]) {
        ingester.failure = error;
        for (const call of calls) {
          await assert.rejects(call, (caught: OpError) => {
            assert.ok(caught instanceof OpError);
            assert.equal(caught.code, error.code);
            assert.equal(caught.message, error.message);
            assert.deepEqual(caught.data, error.data);
            return true;
          });
        }
      }
    });

    test("a caller that gives up stops waiting, and the ingester learns of it", async () => {
      const ingester = new MemoryIngester();
      ingester.gate = new Promise(() => {});
      await using opened = await open(ingester);
      const { client } = opened;
      const giveUp = async (call: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
        const controller = new AbortController();
        const count = ingester.signals.length;
        const called = call(controller.signal);
        called.catch(() => undefined);
        await until(() => ingester.signals.length > count);
        const seen = ingester.signals.at(-1);
        assert.notEqual(seen?.aborted, true);
        controller.abort(new OpError("canceled", "enough"));
        await assert.rejects(called, { code: "canceled", message: "enough" });
        // A push has no signal over there: it is nearly done, and its rows are wanted.
        await until(() => seen === undefined || seen.aborted);
      };
      await giveUp((signal) => client.pushFrame("t", Uint8Array.of(1), signal));
      await giveUp((signal) => client.select("t", { ...SELECT, signal }));
      await giveUp((signal) => client.labelNames("t", { ...LABELS, signal }));
      await giveUp((signal) => client.allUserStats(signal));
      const gone = AbortSignal.abort(new OpError("canceled", "never mind"));
      await assert.rejects(client.pushFrame("t", Uint8Array.of(1), gone), { code: "canceled" });
    });

    test("calls go side by side", async () => {
      const ingester = new MemoryIngester();
      let openGate = (): void => {};
      ingester.gate = new Promise((resolve) => {
        openGate = resolve;
      });
      await using opened = await open(ingester);
      const calls = Array.from({ length: 40 }, (_, i) =>
        opened.client.pushFrame("t", Uint8Array.of(i)),
      );
      await until(() => ingester.pushes.length === 40);
      openGate();
      await Promise.all(calls);
      assert.deepEqual(
        new Set(ingester.pushes.map(({ frame }) => frame[0])),
        new Set(calls.keys()),
      );
    });
  });
}

/** Waits for something that other sockets and promises bring about, turn by turn of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Label texts are UTF-8 in a set. */
function withoutLoneSurrogates(series: (typeof SERIES)[number]): (typeof SERIES)[number] {
  const labels = series.labels.map(({ name, value }) => ({ name, value: value.toWellFormed() }));
  return { ...series, labels };
}

conformance("in the same process", (ingester) =>
  Promise.resolve({ client: ingester, [Symbol.asyncDispose]: () => Promise.resolve() }),
);

conformance("over HTTP", async (ingester) => {
  const fixture = await RpcFixture.open(ingester);
  return {
    client: fixture.client(),
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
});
