/**
 * Throws generated bodies at the intake kernel and checks, for each:
 *
 *     no trap, no write outside of a buffer (guards), no memory beyond what bodies of this size need
 *     what is accepted says the same as the libraries do (twin.ts); what is well-formed is accepted
 *     no cut of an accepted body is accepted
 *     a second decoding, with all series known, and one with labels, give the same
 */
import assert from "node:assert/strict";
import { SeededRandom } from "../../src/base/random.ts";
import {
  type IntakeAnswer,
  IntakeKernel,
  type IntakeLimits,
  type IntakeRows,
} from "../../src/kernel/host/intake.ts";
import { BodyGenerator, type FuzzBody } from "./generate.ts";
import { type FuzzTarget, type FuzzVerdict, RUNS_PER_BATCH } from "./target.ts";
import { type TwinRow, twinDecode } from "./twin.ts";

const MAX_TIME_MS = 1_800_000_000_000;
const UNLIMITED = 0xffff_ffff;
const LIMITS: IntakeLimits = {
  decodedBytesMax: 1 << 20,
  utf8Names: true,
  labelsMax: UNLIMITED,
  infoLabelsMax: UNLIMITED,
  nameBytesMax: UNLIMITED,
  valueBytesMax: UNLIMITED,
  minTimeMs: -(2 ** 53),
  maxTimeMs: MAX_TIME_MS,
};
/** Labels that the generator uses often. */
const HA = { clusterLabel: "job", replicaLabel: "a", pairsMax: 65_535 };
const MEMORY_BYTES_MAX = 64 << 20;

export class IntakeTarget implements FuzzTarget {
  #kernel = newKernel();
  /** Every other batch has HA on. */
  #limits: IntakeLimits = LIMITS;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Throws an AssertionError on a finding. */
  run(index: number): FuzzVerdict {
    if (index % RUNS_PER_BATCH === 0) this.#kernel = newKernel();
    const isOdd = Math.floor(index / RUNS_PER_BATCH) % 2 === 1;
    this.#limits = isOdd ? { ...LIMITS, ha: HA } : LIMITS;
    const generator = new BodyGenerator(new SeededRandom(this.#seed * 1_000_003 + index));
    const body = generator.body();
    try {
      return this.#check(body, generator);
    } catch (error) {
      const text = Buffer.from(body.bytes).toString("base64");
      throw new Error(`body (base64): ${text}`, { cause: error });
    }
  }

  #check(body: FuzzBody, generator: BodyGenerator): FuzzVerdict {
    const answer = this.#decode(body.bytes);
    if (answer.kind !== "rows") {
      assert.ok(!body.wellFormed, `a well-formed body was refused: ${answer.kind}`);
      assert.equal(this.#decode(body.bytes).kind, answer.kind);
      return "refused";
    }
    const rows = rowsOf(answer);
    const twin = twinDecode(body.bytes, {
      minTimeMs: -(2n ** 53n),
      maxTimeMs: BigInt(MAX_TIME_MS),
      ...(this.#limits.ha === undefined ? {} : { ha: this.#limits.ha }),
    });
    assert.deepEqual(rows, twin.rows);
    const { unknownToTable: _, ...counts } = answer.counts;
    const { rows: __, ...twinCounts } = twin;
    assert.deepEqual(counts, twinCounts);
    this.#checkCuts(body.bytes, generator);
    this.#checkAgain(body.bytes, rows, generator);
    return "accepted";
  }

  #checkCuts(body: Uint8Array, generator: BodyGenerator): void {
    for (const length of [0, body.length - 1, generator.below(body.length)]) {
      if (length >= body.length) continue;
      const { kind } = this.#decode(body.subarray(0, length));
      assert.equal(kind, "bad-snappy", `accepted when cut to ${length} of ${body.length} bytes`);
    }
  }

  #checkAgain(body: Uint8Array, rows: readonly TwinRow[], generator: BodyGenerator): void {
    assert.deepEqual(rowsOf(this.#decode(body)), rows);
    const wanted = Uint32Array.from(rows.keys()).filter(() => generator.below(2) === 0);
    const answer = this.#kernel.decodeWithLabels("tenant", body, this.#limits, wanted);
    assert.ok(this.#kernel.guardsIntact, "a guard was overwritten");
    const chosen = rows.filter((_, index) => wanted.includes(index));
    // Which of a pair sent a row does not matter any more.
    assert.deepEqual(rowsOf(answer).map(withoutPair), chosen.map(withoutPair));
    assert.ok(answer.kind === "rows");
    // Nothing wanted, no labels.
    assert.equal(answer.labels?.offsets.length ?? 1, wanted.length + 1);
  }

  #decode(body: Uint8Array): IntakeAnswer {
    const answer = this.#kernel.decode("tenant", body, this.#limits);
    assert.notEqual(answer.kind, "out-of-memory", "the kernel trapped");
    assert.ok(this.#kernel.guardsIntact, "a guard was overwritten");
    assert.ok(this.#kernel.memoryBytes < MEMORY_BYTES_MAX, "the kernel takes too much memory");
    return answer;
  }
}

function newKernel(): IntakeKernel {
  return new IntakeKernel({ knownSeriesMax: 1_000_000, hashSeedLow: 1, hashSeedHigh: 2 });
}

function withoutPair({ id, timesMs, values }: TwinRow): TwinRow {
  return { id, timesMs, values };
}

function rowsOf(answer: IntakeAnswer): TwinRow[] {
  assert.ok(answer.kind === "rows", answer.kind);
  const rows: IntakeRows = answer;
  return Array.from({ length: rows.seriesCount }, (_, index) => {
    const from = rows.sampleOffsets[index];
    const to = rows.sampleOffsets[index + 1];
    const pair = rows.ha?.pairs[(rows.ha.numbers[index] ?? 0) - 1];
    return {
      ...(pair === undefined ? {} : { pair: [pair.cluster, pair.replica] as const }),
      id: Buffer.from(rows.ids.subarray(16 * index, 16 * index + 16)).toString("hex"),
      timesMs: [...rows.timestampsMs.subarray(from, to)],
      values: [...rows.values.subarray(from, to)],
    };
  });
}
