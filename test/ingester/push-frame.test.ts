import assert from "node:assert/strict";
import { test } from "node:test";
import type { PushAnswer, SeriesBatch } from "../../src/rpc/ingester.ts";
import { encodePushFrame } from "../../src/wire/push-frame.ts";
import { type BatchSeries, seriesBatch } from "../testkit/series-batch.ts";
import { IngesterFixture } from "./ingester-fixture.ts";

const T0 = 1_700_000_000_000;
const HOUR = 3600_000;

function series(name: string, ...samples: [number, number][]): BatchSeries {
  return { labels: { __name__: name }, samples };
}

function frameOf(all: readonly BatchSeries[], withLabels: boolean): Uint8Array {
  return encodePushFrame(seriesBatch(all, withLabels));
}

test("a frame has the answer and the effect of its rows as a batch, also after a restart", async () => {
  const limits = { maxGlobalSeriesPerUser: 2, outOfOrderTimeWindowMs: 600_000 };
  const byBatch = await IngesterFixture.start({ limits });
  const byFrame = await IngesterFixture.start({ limits });
  const both = async (all: readonly BatchSeries[], withLabels: boolean): Promise<PushAnswer> => {
    const batch: SeriesBatch = seriesBatch(all, withLabels);
    const answer = await byFrame.ingester.pushFrame("t", encodePushFrame(batch));
    assert.deepEqual(answer, await byBatch.ingester.push("t", batch));
    return answer;
  };
  const first = [series("a", [T0, 1], [T0 + HOUR, 2]), series("b", [T0 + HOUR, 3])];
  assert.deepEqual([...(await both(first, false)).unknownSeries], [0, 1]);
  assert.deepEqual((await both(first, true)).rejected, []);
  assert.equal((await both([series("a", [T0 + HOUR, 2])], false)).rejected.length, 0);
  const refused = await both(
    [
      series("a", [T0 + HOUR, 5], [T0 + 5, 7], [T0 + HOUR - 300_000, 8]),
      series("c", [T0 + HOUR, 1]),
      series("b", [T0 + HOUR + 1, 4]),
    ],
    true,
  );
  assert.deepEqual(
    refused.rejected.map(({ reason, seriesIndex, limit }) => [reason, seriesIndex, limit]),
    [
      ["sample-timestamp-too-old", 0, 600_000],
      ["sample-duplicate-timestamp", 0, undefined],
      ["max-series-per-user", 1, 2],
    ],
  );
  assert.equal((await both([], true)).rejected.length, 0);
  const stored = await byFrame.read("t");
  assert.deepEqual(Object.keys(stored), ["__name__=a", "__name__=b"]);
  assert.deepEqual(stored, await byBatch.read("t"));
  const restarted = await IngesterFixture.start({ limits, files: byFrame.files.copy() });
  assert.deepEqual(await restarted.read("t"), stored);
});

test("a malformed frame is refused with what is wrong, whether its tenant is there or not", async () => {
  const fixture = await IngesterFixture.start();
  const good = frameOf([series("a", [T0, 1])], true);
  const damaged = good.slice();
  damaged[25] = 99;
  for (const [frame, message] of [
    [good.subarray(0, 10), /^malformed push frame: 10 bytes are too few \(at byte 0\)/],
    [damaged, /^malformed push frame: the checksum does not match \(at byte 6\d\)/],
  ] as const) {
    const refused = { name: "OpError", code: "push-frame-malformed", message };
    await assert.rejects(fixture.ingester.pushFrame("t", frame), refused);
    assert.deepEqual(await fixture.read("t"), {});
    await fixture.ingester.pushFrame("other", good);
    await assert.rejects(fixture.ingester.pushFrame("other", frame), refused);
  }
  assert.deepEqual(await fixture.read("other"), { "__name__=a": [[T0, "1"]] });
  const { inflightPushRequests, inflightPushBytes } = fixture.ingester.gauges;
  assert.deepEqual([inflightPushRequests, inflightPushBytes], [0, 0]);
});

test("frames pass the same admission as batches", async () => {
  let maxInflightPushRequests = 0;
  const fixture = await IngesterFixture.start({
    instanceLimits: () => ({ maxInflightPushRequests }),
  });
  const frame = frameOf([series("a", [T0, 1])], true);
  await assert.rejects(new IngesterFixture().ingester.pushFrame("t", frame), { code: "starting" });
  await fixture.ingester.pushFrame("t", frame);
  maxInflightPushRequests = 1;
  const first = fixture.ingester.pushFrame("t", frame);
  assert.equal(fixture.ingester.gauges.inflightPushBytes, 36 + "\x08__name__\x01a".length);
  await assert.rejects(fixture.ingester.pushFrame("t", frame), {
    code: "ingester-max-inflight-push-requests",
  });
  await first;
  await fixture.ingester.pushFrame("t", frame);
});

test("a signal ends the waiting; what was sent may be stored all the same", async () => {
  const fixture = await IngesterFixture.start();
  const gone = new Error("gone");
  const controller = new AbortController();
  const push = fixture.ingester.pushFrame(
    "t",
    frameOf([series("a", [T0, 1])], true),
    controller.signal,
  );
  controller.abort(gone);
  await assert.rejects(push, gone);
  await fixture.clock.advance(1000);
  assert.deepEqual(await fixture.read("t"), { "__name__=a": [[T0, "1"]] });

  const late = frameOf([series("a", [T0 + 1, 1])], true);
  await assert.rejects(fixture.ingester.pushFrame("t", late, controller.signal), gone);
  assert.equal((await fixture.read("t"))["__name__=a"]?.length, 1);

  const { signal } = new AbortController();
  await fixture.ingester.pushFrame("t", late, signal);
  assert.equal((await fixture.read("t"))["__name__=a"]?.length, 2);
});

test("statistics of all tenants: series and samples a second", async () => {
  const fixture = await IngesterFixture.start();
  assert.deepEqual(await fixture.ingester.allUserStats(), []);
  await fixture.ingester.pushFrame("a", frameOf([series("m", [T0, 1], [T0 + 1, 1])], true));
  await fixture.push("b", [series("m", [T0, 1]), series("n", [T0, 1])]);
  await fixture.clock.advance(1000);
  await fixture.push("b", [series("m", [T0 + 1, 1])]);
  await fixture.clock.advance(1000);
  // The first second counts in full, then a fifth of each.
  assert.deepEqual(await fixture.ingester.allUserStats(), [
    { tenant: "a", seriesCount: 1, samplesPerSecond: 2 - 0.2 * 2 },
    { tenant: "b", seriesCount: 2, samplesPerSecond: 2 - 0.2 * 1 },
  ]);
  await fixture.ingester.stop();
  await assert.rejects(fixture.ingester.allUserStats(), { code: "stopping" });
});
