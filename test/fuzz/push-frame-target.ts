/**
 * Throws push frames, whole, damaged and made up, at the kernel of a head and checks, for each:
 *
 *     no trap, no write outside of a buffer (guards), no memory beyond what frames of this size need
 *     it is refused if and only if the twin (src/wire/push-frame.ts) refuses it, and then changes nothing
 *     what is accepted has the same outcome as the rows that the twin reads, appended to another head
 */
import assert from "node:assert/strict";
import { SeededRandom } from "../../src/base/random.ts";
import { type AppendReport, HeadKernel } from "../../src/kernel/host/head-kernel.ts";
import {
  decodePushFrame,
  encodePushFrame,
  readPushFrameHeader,
} from "../../src/wire/push-frame.ts";
import { type FrameRow, frameBatch, resealed } from "../testkit/push-frame.ts";
import { canonicalLabels } from "../testkit/series-batch.ts";
import { BodyGenerator } from "./generate.ts";
import { type FuzzTarget, type FuzzVerdict, RUNS_PER_BATCH } from "./target.ts";

const PLACE = { seriesMax: 40, outOfOrderWindowMs: 3_600_000, frameFile: 1, frameOffsetBytes: 0 };
const MEMORY_BYTES_MAX = 16 << 20;
const T0 = 1_700_000_000_000n;
const HEADER_BYTES = 20;

export class PushFrameTarget implements FuzzTarget {
  #byFrame = newHead();
  #byBatch = newHead();
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  run(index: number): FuzzVerdict {
    if (index % RUNS_PER_BATCH === 0) {
      this.#byFrame = newHead();
      this.#byBatch = newHead();
    }
    const generator = new BodyGenerator(new SeededRandom(this.#seed * 1_000_003 + index));
    const frame = frameOf(generator);
    try {
      return this.#check(frame);
    } catch (error) {
      const text = Buffer.from(frame).toString("base64");
      throw new Error(`frame (base64): ${text}`, { cause: error });
    }
  }

  #check(frame: Uint8Array): FuzzVerdict {
    const head = this.#byFrame;
    const before = [head.seriesCount, head.minTimeMs, head.maxTimeMs];
    const decoded = decodePushFrame(frame);
    const report = plain(head.appendFrame(frame, PLACE));
    assert.ok(head.guardsIntact, "a guard was overwritten");
    assert.ok(head.memoryBytes < MEMORY_BYTES_MAX, "the kernel takes too much memory");
    if ("malformed" in decoded) {
      assert.equal(report, undefined, `accepted: ${decoded.malformed}`);
      assert.deepEqual([head.seriesCount, head.minTimeMs, head.maxTimeMs], before);
      return "refused";
    }
    assert.ok(!("malformed" in readPushFrameHeader(frame)));
    assert.deepEqual(report, plain(this.#byBatch.append(decoded, PLACE)));
    return "accepted";
  }
}

function newHead(): HeadKernel {
  return new HeadKernel({ chunkRangeMs: 7_200_000, seed: 1n });
}

/** What log and files get says what the head holds. */
function plain(report: AppendReport | undefined): object | undefined {
  if (!report) return undefined;
  const { entries, rows, frames } = report;
  return {
    ...report,
    entries: Buffer.from(entries),
    rows: Buffer.from(rows),
    frames: Buffer.from(frames),
  };
}

function frameOf(generator: BodyGenerator): Uint8Array {
  const kind = generator.below(8);
  if (kind === 0) return generator.noise(80);
  const frame = encodePushFrame(frameBatch(rowsOf(generator)));
  if (kind <= 3) return frame;
  if (kind === 4) return generator.mutate(frame);
  // With a checksum that is right, so that what lies behind its check is reached.
  if (kind === 5) return resealed(generator.mutate(frame));
  const damaged = frame.slice();
  const from = kind === 6 ? 0 : HEADER_BYTES;
  for (let left = 1 + generator.below(3); left > 0; left--) {
    const at = from + generator.below(damaged.length - from);
    damaged[at] = generator.pick([0, 1, 2, 0x7f, 0x80, 0xff, generator.below(256)]);
  }
  return resealed(damaged);
}

function rowsOf(generator: BodyGenerator): FrameRow[] {
  const isOrdinary = generator.below(2) === 0;
  return Array.from({ length: generator.below(isOrdinary ? 40 : 8) }, () => {
    const series = generator.below(60);
    const sampleCount = isOrdinary ? 1 : generator.below(5);
    return {
      id: Buffer.alloc(16, series),
      samples: Array.from({ length: sampleCount }, () => ({
        time: timeOf(generator),
        bits: generator.pick([0n, 0x7ff0000000000002n, BigInt(generator.below(2 ** 53))]),
      })),
      labels:
        generator.below(3) === 0
          ? Uint8Array.from(canonicalLabels({ __name__: "m", series: "x".repeat(3 * series) }))
          : new Uint8Array(0),
    };
  });
}

function timeOf(generator: BodyGenerator): bigint {
  const kind = generator.below(20);
  if (kind === 0) return generator.pick([0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]);
  return kind < 10 ? T0 : T0 + BigInt(generator.below(100_000));
}
