import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeXor } from "../testkit/xor.ts";
import {
  assertSameSamples,
  batchOf,
  bitsOfNumber,
  CHUNK_RANGE_MS,
  canonicalBytes,
  FrameStore,
  indexOf,
  LoggedHead,
  type LogRecord,
  NO_LIMITS,
} from "./head-kernel-fixture.ts";
import { rowsOf, START, type Work, windows, works } from "./head-kernel-operations.ts";
import { HeadTwin } from "./head-kernel-twin.ts";

/** A head that did the work, with its log. */
function worked(all: readonly Work[], outOfOrderWindowMs: number, head = new LoggedHead()) {
  const twin = new HeadTwin();
  for (const work of all) workOn(head, twin, work, outOfOrderWindowMs);
  return { head, twin };
}

function workOn(head: LoggedHead, twin: HeadTwin, work: Work, outOfOrderWindowMs: number): void {
  const rows = rowsOf(twin, work);
  const options = { seriesMax: 0, outOfOrderWindowMs };
  head.append(batchOf(rows, work.withLabels), options);
  twin.append(rows, work.withLabels, options);
}

function assertSame(actual: LoggedHead, expected: LoggedHead): void {
  assert.deepEqual(actual.readAll(), expected.readAll());
  for (const property of ["seriesCount", "maxTimeMs", "minTimeMs"] as const) {
    assert.equal(actual.kernel[property], expected.kernel[property], property);
  }
}

describe("the head kernel's log", () => {
  it("makes the same head again, chunk by chunk", () => {
    fc.assert(
      fc.property(works, windows, (all, window) => {
        const { head } = worked(all, window);
        const copy = new LoggedHead(99n).mustReplay(head.log);
        assertSame(copy, head);
        assert.deepEqual(indexOf(copy.kernel), indexOf(head.kernel));
        assert.equal(copy.kernel.symbolTableBytes, head.kernel.symbolTableBytes);
        assert.equal(copy.kernel.takeSkippedRows(), 0);
        assert.equal(copy.frames.frameCount, head.frames.frameCount);
      }),
      { numRuns: 100 },
    );
  });

  it("goes on after a replay as if nothing had happened", () => {
    fc.assert(
      fc.property(works, works, windows, (before, after, window) => {
        const { head, twin } = worked(before, window);
        const copy = new LoggedHead().mustReplay(head.log);
        for (const work of after) workOn(copy, twin, work, window);
        assert.deepEqual(copy.readAll(), twin.readAll());
      }),
      { numRuns: 60 },
    );
  });

  it("passes over rows of series that nothing has defined, and counts them", () => {
    const { head } = worked([], 0);
    head.append(batchOf([{ series: 0, samples: [{ time: 5n, bits: 0n }] }], true));
    const rows = head.log.filter((record) => record.type === "rows");
    const copy = new LoggedHead().mustReplay(rows).mustReplay(rows);
    assert.equal(copy.kernel.takeSkippedRows(), 2);
    assert.equal(copy.kernel.takeSkippedRows(), 0);
    assert.equal(copy.kernel.seriesCount, 0);
  });

  it("has the bytes that docs/formats/wal-records.md shows", () => {
    const head = new LoggedHead();
    const samples = [
      [1000n, bitsOfNumber(1)],
      [2000n, bitsOfNumber(-300)],
      [2001n, bitsOfNumber(0.25)],
      [2002n, bitsOfNumber(0.125)],
      [2003n, 0x7ff0000000000002n],
      [2004n, bitsOfNumber(Infinity)],
      [2005n, bitsOfNumber(Math.PI)],
    ] as const;
    const rows = [
      { series: 5, samples: samples.map(([time, bits]) => ({ time, bits })) },
      { series: 6, samples: [{ time: 2005n, bits: bitsOfNumber(0) }] },
    ];
    const labels = (series: number): [string, string][] => [
      ["a", "x"],
      ["b", `${series}`],
    ];
    const report = head.append(batchOf(rows, true, labels));
    assert.equal(
      hex(report.entries),
      hexOf(
        // pair 0 = a="x", pair 1 = b="5"
        "01 00 01 61 01 78",
        "01 01 01 62 01 35",
        // series: ref 0, id (h1 and h2 little-endian), 2 pairs: 0, 1
        "02 00 02000000 3f000000 0500000000000000 02 00 01",
        // pair 2 = b="6"; a="x" is known
        "01 02 01 62 01 36",
        "02 01 00000000 40000000 0600000000000000 02 00 02",
      ),
    );
    assert.equal(
      hex(report.rows),
      hexOf(
        // next ref (0), time +1000, integer of 1 byte
        "81 d00f 01",
        // ref -1 from the next one, time +1000, negative integer of 2 bytes
        "0a 01 d00f 2c01",
        // 25 / 100
        "11 01 02 19",
        // 125 / 1000
        "19 01 02 7d",
        // staleness marker
        "30 01 02",
        // Infinity: the 2 highest bytes
        "22 01 02 7ff0",
        // pi: all 8 bytes
        "28 01 02 400921fb54442d18",
        // next ref (1), the same time, integer 0 of no byte
        "c0",
      ),
    );
    const [, state] = [...head.exportState(1 << 20)];
    const times = BigInt64Array.from(samples, ([time]) => time);
    const values = new Float64Array(BigUint64Array.from(samples, ([, bits]) => bits).buffer);
    assert.equal(
      hex(state!.payload),
      hexOf(
        // state: as a series entry
        "03 00 02000000 3f000000 0500000000000000 02 00 01",
        // no closed chunk, flags
        "00 00",
        // last time 2005, last value pi, last delta 1
        "d507000000000000 182d4454fb210940 0100000000000000",
        // open chunk of 7 samples: min time 1000, XOR window of 1 leading and 1 trailing zero, 390 bits
        "07 e803000000000000 01 01 8601",
        // the chunk as Prometheus has it, no late samples
        hex(encodeXor({ timestampsMs: times, values })),
        "00",
        "03 01 00000000 40000000 0600000000000000 02 00 02",
        "00 00",
        "d507000000000000 0000000000000000 0000000000000000",
        // no XOR window yet (leading 255), 80 bits
        "01 d507000000000000 ff 00 5000",
        "0001 aa1f 0000000000000000",
        "00",
      ),
    );
    assert.equal(hex(head.kernel.truncateSlice(3000, 0, 2).entries), hexOf("04 00", "04 01"));
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function hexOf(...parts: string[]): string {
  return parts.join("").replaceAll(" ", "");
}

describe("the head kernel's exported state", () => {
  it("makes the same head, whatever the size of the slices", () => {
    fc.assert(
      fc.property(works, windows, fc.constantFrom(1, 50, 1 << 20), (all, window, sliceBytes) => {
        const { head, twin } = worked(all, window);
        const state = [...head.exportState(sliceBytes)];
        const copy = new LoggedHead(3n, head.frames).mustReplay(state);
        assertSame(copy, head);
        assert.deepEqual(indexOf(copy.kernel), indexOf(head.kernel));
        // And it goes on from there.
        for (const work of all) workOn(copy, twin, work, window);
        assert.deepEqual(copy.readAll(), twin.readAll());
      }),
      { numRuns: 100 },
    );
  });

  it("may be applied over a head that is there already", () => {
    fc.assert(
      fc.property(works, windows, (all, window) => {
        const { head } = worked(all, window);
        const copy = new LoggedHead(3n, head.frames).mustReplay(head.log);
        copy.mustReplay([...head.exportState(100)]).mustReplay([...head.exportState(1)]);
        assertSame(copy, head);
        assert.deepEqual(indexOf(copy.kernel), indexOf(head.kernel));
      }),
      { numRuns: 50 },
    );
  });

  /**
   * A checkpoint while work goes on: one slice of state after each piece of work. What lies before the checkpoint
   * is deleted, so the log begins in the middle of the lives of series and pairs.
   */
  it("stands in for the log before it, also when it is written between pushes", () => {
    const cuts = fc.array(fc.nat({ max: 4 }), { maxLength: 4 });
    fc.assert(
      fc.property(
        works,
        works,
        works,
        windows,
        cuts,
        (before, during, after, window, truncations) => {
          const { head, twin } = worked(before, window);
          const frames = head.frames;
          const begin = head.log.length;
          let truncatedBefore = -(2n ** 63n);
          const work = [...during];
          const cut = [...truncations];
          for (const slice of head.exportState(60)) {
            head.log.push(slice);
            const next = work.shift();
            if (next) workOn(head, twin, next, window);
            const ranges = cut.shift();
            if (ranges !== undefined && twin.maxTime !== undefined) {
              const beforeTime = Number(twin.maxTime) - ranges * CHUNK_RANGE_MS;
              assert.equal(head.truncate(beforeTime), twin.truncate(BigInt(beforeTime)));
              if (BigInt(beforeTime) > truncatedBefore) truncatedBefore = BigInt(beforeTime);
            }
          }
          const end = head.log.length;
          for (const next of after) workOn(head, twin, next, window);
          const copy = new LoggedHead(5n, new SharedFrames(frames));
          copy.mustReplay(head.log.slice(begin, end));
          copy.kernel.takeSkippedRows();
          copy.mustReplay(head.log.slice(end));
          assert.equal(
            copy.kernel.takeSkippedRows(),
            0,
            "nothing is missing behind the checkpoint",
          );
          // The log says which series went, not which of the old samples of the others did.
          assertSameSamples(copy, head, truncatedBefore);

          assert.equal(copy.kernel.seriesCount, head.kernel.seriesCount);
          assert.equal(copy.kernel.maxTimeMs, head.kernel.maxTimeMs);
          copy.kernel.finishTruncate(true, 1, 0);
          assert.deepEqual(indexOf(copy.kernel), indexOf(head.kernel));
        },
      ),
      { numRuns: 150 },
    );
  });

  it("covers a series that came after the begin but has labels from before it", () => {
    const head = new LoggedHead();
    const labels = (series: number): [string, string][] => [
      ["job", "x"],
      ["pod", `${series}`],
    ];
    const sample = (series: number) => ({ series, samples: [{ time: START, bits: 0n }] });
    head.append(batchOf([sample(0)], true, labels));
    const begin = head.log.length;
    head.append(batchOf([sample(1)], true, labels));
    for (const slice of head.exportState(1 << 20)) head.log.push(slice);
    const copy = new LoggedHead().mustReplay(head.log.slice(begin));
    assert.equal(copy.kernel.takeSkippedRows(), 1);
    assertSame(copy, head);
  });
});

/** New frames go elsewhere; what the first head wrote can be read. */
class SharedFrames extends FrameStore {
  readonly #first: FrameStore;

  constructor(first: FrameStore) {
    super();
    this.#first = first;
    this.file = 1000;
  }

  override read(file: number, offset: number, length: number): Uint8Array {
    return file < 1000 ? this.#first.read(file, offset, length) : super.read(file, offset, length);
  }
}

function filled(length: number, byte: number): number[] {
  return Array.from({ length }, () => byte);
}

describe("damaged records", () => {
  const mutation = fc.record({
    kind: fc.constantFrom("flip", "set", "cut", "insert", "remove"),
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    byte: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat({ max: 255 })),
  });

  function damage(
    payload: Uint8Array,
    { kind, at, byte }: { kind: string; at: number; byte: number },
  ): Uint8Array {
    const bytes = [...payload];
    const index = Math.floor(at * bytes.length);
    if (kind === "flip") bytes[index] = bytes[index]! ^ (1 << (byte & 7));
    else if (kind === "set") bytes[index] = byte;
    else if (kind === "cut") bytes.length = index;
    else if (kind === "insert") bytes.splice(index, 0, byte, byte);
    else bytes.splice(index, 1);
    return Uint8Array.from(bytes);
  }

  /** A head must take new series and samples, give its state, truncate and answer, whatever was done to it. */
  function assertWorks(head: LoggedHead): void {
    const { kernel } = head;
    const time = 1 + Math.max(kernel.maxTimeMs ?? 0, Number(START));
    if (time < 2 ** 52) {
      const rows = [700, 701].map((series) => ({
        series,
        samples: [{ time: BigInt(time), bits: bitsOfNumber(series) }],
      }));
      const report = head.append(batchOf(rows, true));
      assert.equal(report.acceptedSamples, 2);
      const chunks = head.kernel.collect(
        Uint8Array.of(2, 1).reduce(
          (refs, back, i) => refs.fill(kernel.refEnd - back, i),
          new Uint32Array(2),
        ),
        { minTimeMs: time, maxTimeMs: time, seriesMax: 0, chunksMax: 0, chunkBytesMax: 0 },
      );
      assert.ok(typeof chunks === "object" && chunks.seriesCount === 2);
    }
    for (const { id } of kernel.labelNames()) {
      for (const pairId of kernel.pairsOf(id).ids) {
        const postings = kernel.postings(pairId);
        assert.ok(
          postings.every((ref, i) => i === 0 || ref > postings[i - 1]!),
          "ascending",
        );
      }
    }
    const restored = new LoggedHead(11n, head.frames);
    for (const record of head.exportState(1 << 20)) restored.replay(record);
    const end = kernel.refEnd;
    kernel.truncateSlice(Number.MAX_SAFE_INTEGER, 0, end);
    kernel.finishTruncate(true, 1, 4);
  }

  it("never trap, and the head works afterwards", () => {
    fc.assert(
      fc.property(
        works,
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.constantFrom("log", "state"),
        (all, mutations, place, source) => {
          const { head } = worked(all, CHUNK_RANGE_MS);
          const records: LogRecord[] =
            source === "log" ? head.log : [...head.log.slice(0, 2), ...head.exportState(200)];
          const damaged = Math.floor(place * records.length);
          const copy = new LoggedHead(12n, head.frames);
          for (const [index, record] of records.entries()) {
            const payload =
              index === damaged ? mutations.reduce(damage, record.payload) : record.payload;
            copy.replay({ ...record, payload });
          }
          assertWorks(copy);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("may be any bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 80 });
    const entries = fc
      .array(fc.tuple(fc.constantFrom(1, 2, 3, 4), bytes))
      .map((parts) => Uint8Array.from(parts.flatMap(([tag, rest]) => [tag, ...rest])));
    fc.assert(
      fc.property(fc.array(fc.oneof(bytes, entries), { maxLength: 5 }), bytes, (all, rows) => {
        const head = new LoggedHead();
        head.append(batchOf([{ series: 0, samples: [{ time: START, bits: 1n }] }], true));
        for (const payload of all) head.replay({ type: "entries", payload });
        head.replay({ type: "rows", payload: rows });
        assertWorks(head);
      }),
      { numRuns: 300 },
    );
  });

  it("are malformed when they are cut in the middle of a row or an entry", () => {
    const rows = [{ series: 3, samples: [{ time: START, bits: bitsOfNumber(Math.PI) }] }];
    const head = new LoggedHead();
    const report = head.append(batchOf(rows, true));
    const [, state] = [...head.exportState(1 << 20)];
    for (const [type, payload] of [
      ["rows", report.rows],
      ["entries", state!.payload],
    ] as const) {
      for (let length = 1; length < payload.length; length++) {
        const copy = new LoggedHead().mustReplay(head.log);
        const record = { type, payload: payload.subarray(0, length) };
        assert.equal(copy.replay(record), undefined, `${type} cut to ${length} bytes`);
      }
    }
  });

  it("are malformed when they say what no head can be", () => {
    const pair = (id: number[], text: string): number[] => [
      1,
      ...id,
      ...canonicalBytes([["a", text]]),
    ];
    const series = (ref: number[], ...pairs: number[]): number[] => [
      2,
      ...ref,
      ...filled(16, 1),
      pairs.length,
      ...pairs,
    ];
    const cases: Record<string, number[]> = {
      "an unknown tag": [9],
      "a pair id of 2^27": pair([0x80, 0x80, 0x80, 0x40], "x"),
      "a pair id over 32 bits": pair([0x80, 0x80, 0x80, 0x80, 0x80, 0x01], "x"),
      "a varint over 10 bytes": pair(filled(11, 0x80), "x"),
      "a ref of 2^31 - 1": series([0xff, 0xff, 0xff, 0xff, 0x07]),
      "a removal of ref 2^32": [4, 0x80, 0x80, 0x80, 0x80, 0x10],
      "a pair in the place of one that has series": [
        ...pair([0], "x"),
        ...series([0], 0),
        ...pair([1], "x"),
      ],
      "a pair that was replaced": [...pair([0], "x"), ...pair([1], "x"), ...pair([0], "x")],
    };
    for (const [what, payload] of Object.entries(cases)) {
      const head = new LoggedHead();
      const record = { type: "entries", payload: Uint8Array.from(payload) } as const;
      assert.equal(head.replay(record), undefined, what);
      assertWorks(head);
    }
  });

  it("cannot make a series count twice in the postings", () => {
    const head = new LoggedHead();
    const id = filled(16, 1);
    const entries = [1, 0, ...canonicalBytes([["a", "x"]]), 2, 0, ...id, 2, 0, 0];
    head.mustReplay([{ type: "entries", payload: Uint8Array.from(entries) }]);
    assert.deepEqual(indexOf(head.kernel), new Map([["a=x", [0]]]));
    assert.equal(head.append(batchOf([], false), NO_LIMITS).acceptedSamples, 0);
  });
});
