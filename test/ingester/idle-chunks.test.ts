/** `chunk_idle_period`: open chunks of series that rest leave memory, and nothing else changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../src/base/random.ts";
import { valueText } from "../testkit/read-series-set.ts";
import type { BatchSeries } from "../testkit/series-batch.ts";
import { TestClock } from "../testkit/test-clock.ts";
import { IngesterFixture } from "./ingester-fixture.ts";

const START = 1_700_000_000_000;
const MINUTE = 60_000;
const FIFTEEN = { ingester: { chunkIdleTimeoutMs: 15 * MINUTE } };

function series(name: string, ...samples: [number, number][]): BatchSeries {
  return { labels: { __name__: name }, samples };
}

function texts(...samples: [number, number][]): [number, string][] {
  return samples.map(([timeMs, value]) => [timeMs, valueText(value)]);
}

async function closedChunks(fixture: IngesterFixture): Promise<number> {
  const metric = fixture.registry.getSingleMetric("muninn_ingester_idle_chunks_closed_total");
  return (await metric?.get())?.values[0]?.value ?? 0;
}

test("a series without samples for the period gives up its open chunk, a busy one does not", async () => {
  const fixture = await IngesterFixture.start(FIFTEEN);
  await fixture.push("t", [series("rests", [START, 1]), series("works", [START, 1])]);
  await fixture.clock.advance(14 * MINUTE);
  const later = fixture.clock.nowMs();
  await fixture.push("t", [series("works", [later, 2])]);
  await fixture.maintain();
  assert.equal(await closedChunks(fixture), 0, "one minute is missing");
  await fixture.clock.advance(2 * MINUTE);
  const last = fixture.clock.nowMs();
  await fixture.push("t", [series("works", [last, 3])]);
  await fixture.maintain();
  assert.equal(await closedChunks(fixture), 1);
  await fixture.push("t", [series("rests", [last, 4])]);
  assert.deepEqual(await fixture.read("t"), {
    "__name__=rests": texts([START, 1], [last, 4]),
    "__name__=works": texts([START, 1], [later, 2], [last, 3]),
  });
  await fixture.ingester.stop();
});

test("a tenant that stops sending gives up its chunks by the clock", async () => {
  const fixture = await IngesterFixture.start(FIFTEEN);
  await fixture.push("t", [series("m", [START, 1])]);
  await fixture.clock.advance(16 * MINUTE);
  await fixture.maintain();
  assert.equal(await closedChunks(fixture), 1);
  await fixture.maintain();
  assert.equal(await closedChunks(fixture), 1, "what is closed is not closed again");
  await fixture.ingester.stop();
});

test("an import of old data keeps its chunks open while it goes on", async () => {
  const fixture = await IngesterFixture.start(FIFTEEN);
  const old = START - 5 * 60 * MINUTE;
  for (let i = 0; i < 10; i++) {
    await fixture.push("t", [series("m", [old + i * MINUTE, i])]);
    await fixture.maintain();
  }
  assert.equal(await closedChunks(fixture), 0);
  await fixture.ingester.stop();
});

test("0 keeps open chunks for ever", async () => {
  const fixture = await IngesterFixture.start({ ingester: { chunkIdleTimeoutMs: 0 } });
  await fixture.push("t", [series("m", [START, 1])]);
  await fixture.clock.advance(6 * 60 * MINUTE);
  await fixture.maintain();
  assert.equal(await closedChunks(fixture), 0);
  await fixture.ingester.stop();
});

for (const [how, checkpointBytes] of [
  ["the log alone", 1 << 30],
  ["a checkpoint that says what is closed", 0],
] as const) {
  test(`after a crash the samples are there from ${how}`, async () => {
    const options = { ingester: { ...FIFTEEN.ingester, checkpointBytes } };
    const before = await IngesterFixture.start(options);
    await before.push("t", [series("m", [START, 1], [START + 1000, 2])]);
    await before.clock.advance(20 * MINUTE);
    await before.maintain();
    assert.equal(await closedChunks(before), 1);
    const last = before.clock.nowMs();
    await before.push("t", [series("m", [last, 3])]);
    const want = { "__name__=m": texts([START, 1], [START + 1000, 2], [last, 3]) };
    assert.deepEqual(await before.read("t"), want);

    const files = before.files.crash(new SeededRandom(1));
    const after = await IngesterFixture.start({ files, clock: new TestClock(last), ...options });
    assert.deepEqual(await after.read("t"), want);
    await after.ingester.stop();
  });
}

const step = fc.record({
  series: fc.integer({ min: 0, max: 2 }),
  kind: fc.constantFrom("next", "next", "late", "rest"),
  minutes: fc.integer({ min: 0, max: 25 }),
});

test("whatever rests and comes back, late samples included, is there, also after a crash", async () => {
  let closedInAll = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 30 }),
      fc.boolean(),
      async (steps, checkpoints) => {
        const options = {
          ingester: { chunkIdleTimeoutMs: 5 * MINUTE, checkpointBytes: checkpoints ? 0 : 1 << 30 },
        };
        const fixture = await IngesterFixture.start(options);
        const want: Record<string, [number, number][]> = {};
        for (const [index, { series: number, kind, minutes }] of steps.entries()) {
          if (kind === "rest") {
            await fixture.clock.advance(minutes * MINUTE);
            await fixture.maintain();
            continue;
          }
          await fixture.clock.advance(1000);
          // No two samples of a series share a time: what wins then is another matter.
          const timeMs =
            fixture.clock.nowMs() - (kind === "late" ? minutes * MINUTE + index + 1 : 0);
          const { rejected } = await fixture.push("t", [series(`m${number}`, [timeMs, index])]);
          if (rejected.length > 0) continue;
          want[`__name__=m${number}`] ??= [];
          want[`__name__=m${number}`]?.push([timeMs, index]);
        }
        const expected = Object.fromEntries(
          Object.entries(want).map(([name, samples]) => [
            name,
            texts(...samples.toSorted(([left], [right]) => left - right)),
          ]),
        );
        assert.deepEqual(await fixture.read("t"), expected);
        closedInAll += await closedChunks(fixture);
        const clock = new TestClock(fixture.clock.nowMs());
        const after = await IngesterFixture.start({
          ...options,
          files: fixture.files.copy(),
          clock,
        });
        assert.deepEqual(await after.read("t"), expected);
        await after.ingester.stop();
        await fixture.ingester.stop();
      },
    ),
    { numRuns: 40 },
  );
  assert.ok(closedInAll > 40, "the steps do close chunks");
});
