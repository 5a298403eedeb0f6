/** The load that every figure rests on: valid remote write, the statistics that are claimed, the same every time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Reader } from "protobufjs";
import { uncompressSync } from "snappy";
import { buildLoad, type Load } from "../../bench/loadgen/load.ts";
import { seriesOf } from "../../bench/loadgen/profile.ts";
import { quantile } from "../../bench/loadgen/sender.ts";

const END_MS = 1_800_000_000_000;

interface DecodedSeries {
  readonly labels: [string, string][];
  readonly samples: { timestampMs: number; value: number }[];
}

function decode(body: Uint8Array): DecodedSeries[] {
  const out: DecodedSeries[] = [];
  eachField(new Reader(uncompressSync(Buffer.from(body)) as Buffer), (number, reader) => {
    assert.equal(number, 1);
    const series: DecodedSeries = { labels: [], samples: [] };
    eachField(nested(reader), (part, inner) => {
      if (part === 1) series.labels.push(label(nested(inner)));
      else series.samples.push(sample(nested(inner)));
    });
    out.push(series);
  });
  return out;
}

function eachField(reader: Reader, visit: (number: number, reader: Reader) => void): void {
  while (reader.pos < reader.len) visit(reader.uint32() >>> 3, reader);
}

function nested(reader: Reader): Reader {
  return new Reader(reader.bytes());
}

function label(reader: Reader): [string, string] {
  const pair: [string, string] = ["", ""];
  eachField(reader, (number) => {
    pair[number - 1] = reader.string();
  });
  return pair;
}

function sample(reader: Reader): { timestampMs: number; value: number } {
  const out = { timestampMs: 0, value: 0 };
  eachField(reader, (number) => {
    if (number === 1) out.value = reader.double();
    else out.timestampMs = Number(reader.int64());
  });
  return out;
}

function decodeAll(load: Load): DecodedSeries[] {
  return load.steps.flatMap((requests) => requests.flatMap(({ body }) => decode(body)));
}

test("every series is in every round once, in order of time, with sorted labels", () => {
  const load = buildLoad({ profile: "mixed:1500", rounds: 3, endMs: END_MS });
  const all = decodeAll(load);
  assert.equal(all.length, 4500);
  assert.equal(load.sampleCount, 4500);
  const times = new Map<string, number[]>();
  for (const { labels, samples } of all) {
    const names = labels.map(([name]) => name);
    assert.deepEqual(names, [...names].sort());
    const key = JSON.stringify(labels);
    times.set(key, [...(times.get(key) ?? []), ...samples.map((one) => one.timestampMs)]);
  }
  assert.equal(times.size, 1500);
  for (const list of times.values()) {
    assert.equal(list.length, 3);
    assert.equal((list[1] ?? 0) - (list[0] ?? 0), 15_000);
    assert.ok((list[0] ?? 0) >= load.timing.startMs && (list[2] ?? 0) < END_MS);
  }
});

test("the mixed profile has the sizes that the figures of the peers were measured with", () => {
  const load = buildLoad({ profile: "mixed:5000", rounds: 2, endMs: END_MS });
  const close = (value: number, want: number): void =>
    assert.ok(Math.abs(value / want - 1) < 0.02, `${value}, not about ${want}`);
  close(load.labelCount / load.seriesCount, 11.74);
  close(load.labelBytes / load.seriesCount, 277);
  close(load.rawBytes / load.sampleCount, 368);
  close(load.wireBytes / load.sampleCount, 32.8);
});

test("the mix of values is the one claimed", () => {
  const kinds: Record<string, number> = {};
  for (const { kind } of seriesOf("mixed:500", 1)) kinds[kind] = (kinds[kind] ?? 0) + 1;
  assert.deepEqual(kinds, {
    "idle-counter": 198,
    "int-counter": 122,
    "float-counter": 81,
    "constant-gauge": 41,
    "int-gauge": 53,
    "float-gauge": 5,
  });
});

test("back-fill packs samples of a series into one request and sends the same samples", () => {
  const one = decodeAll(buildLoad({ profile: "m:7,h:2", rounds: 40, endMs: END_MS }));
  const many = decodeAll(
    buildLoad({ profile: "m:7,h:2", rounds: 40, samplesPerSeries: 20, endMs: END_MS }),
  );
  const flat = (series: DecodedSeries[]): string[] =>
    series
      .flatMap(({ labels, samples }) => samples.map((entry) => JSON.stringify([labels, entry])))
      .sort();
  assert.equal(many.length, (7 + 2 * 12) * 2);
  assert.deepEqual(flat(many), flat(one));
});

test("two builds are the same to the byte", () => {
  const build = (): Uint8Array[] =>
    buildLoad({ profile: "mixed:600,g:10", rounds: 2, endMs: END_MS }).steps.flatMap((requests) =>
      requests.map(({ body }) => body),
    );
  assert.deepEqual(build(), build());
});

test("quantiles of a sorted list", () => {
  const list = Float64Array.from([1, 2, 3, 4]);
  assert.equal(quantile(list, 0), 1);
  assert.equal(quantile(list, 0.5), 3);
  assert.equal(quantile(list, 0.99), 4);
  assert.ok(Number.isNaN(quantile(new Float64Array(0), 0.5)));
});
