/** Heads of random series, and the same question asked of a plain list of label sets. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { HeadKernel } from "../../../src/kernel/host/head-kernel.ts";
import { type CompiledMatcher, compileMatcher } from "../../../src/model/compiled-matcher.ts";
import { type Labels, labelValue } from "../../../src/model/labels.ts";
import type { Matcher } from "../../../src/model/matchers.ts";

export interface PlainSeries {
  readonly labels: Labels;
  readonly timeMs: number;
}

const NAMES = ["__name__", "job", "pod", "ä"];
const VALUES = ["a", "b", "ab", "abc", "ü", "\u{1f4a5}", "\uffff"];

/** Distinct label sets, also without a metric name. */
export const seriesLists: fc.Arbitrary<PlainSeries[]> = fc.uniqueArray(
  fc.record({
    labels: fc
      .tuple(...NAMES.map(() => fc.option(fc.constantFrom(...VALUES), { freq: 3 })))
      .map((values) =>
        NAMES.flatMap((name, i) => {
          const value = values[i] ?? undefined;
          return value === undefined ? [] : [{ name, value }];
        }),
      )
      .filter((labels) => labels.length > 0),
    timeMs: fc.integer({ min: 1000, max: 1020 }),
  }),
  { maxLength: 40, selector: ({ labels }) => JSON.stringify(labels) },
);

const matcher: fc.Arbitrary<Matcher> = fc.oneof(
  fc.record({
    type: fc.constantFrom("=", "!="),
    name: fc.constantFrom(...NAMES, "other"),
    value: fc.constantFrom(...VALUES, "", "zzz"),
  }),
  fc.record({
    type: fc.constantFrom("=~", "!~"),
    name: fc.constantFrom(...NAMES, "other"),
    value: fc.constantFrom(
      ".*",
      ".+",
      "",
      "a|b",
      "a.*",
      ".*b",
      "a|",
      "[ab]+",
      "zzz",
      "(?i)A.*|ü",
      "a?",
    ),
  }),
);

export const matcherLists: fc.Arbitrary<Matcher[]> = fc.array(matcher, { maxLength: 4 });

export function compileAll(matchers: readonly Matcher[]): CompiledMatcher[] {
  return matchers.map((each) => compileMatcher(each));
}

/** Series i of the list has ref i. */
export function headOf(list: readonly PlainSeries[]): HeadKernel {
  const kernel = new HeadKernel({ chunkRangeMs: 7_200_000, seed: 5n });
  const texts = list.map(({ labels }) => labels.flatMap(({ name, value }) => [name, value]));
  const parts = texts.map((all) =>
    all.flatMap((text) => {
      const bytes = new TextEncoder().encode(text);
      return [bytes.length, ...bytes];
    }),
  );
  const offsets = new Uint32Array(list.length + 1);
  for (const [i, part] of parts.entries()) offsets[i + 1] = (offsets[i] as number) + part.length;
  kernel.append(
    {
      seriesCount: list.length,
      ids: Uint8Array.from(parts.flatMap((part) => [...md5(Uint8Array.from(part))])),
      sampleOffsets: Uint32Array.from({ length: list.length + 1 }, (_, i) => i),
      timestampsMs: BigInt64Array.from(list, ({ timeMs }) => BigInt(timeMs)),
      values: new Float64Array(list.length),
      labels: { bytes: Uint8Array.from(parts.flat()), offsets },
    },
    { seriesMax: 0, outOfOrderWindowMs: 0, frameFile: 1, frameOffsetBytes: 0 },
  );
  return kernel;
}

function md5(bytes: Uint8Array): Uint8Array {
  return createHash("md5").update(bytes).digest();
}

/** Numbers of the series that satisfy all matchers, one by one. */
export function matchingSeries(
  list: readonly PlainSeries[],
  matchers: readonly Matcher[],
): number[] {
  return list.flatMap(({ labels }, ref) =>
    compileAll(matchers).every((each) => each.matches(labelValue(labels, each.name))) ? [ref] : [],
  );
}

/** Removes all series with samples only before the time; `clean` also cleans the index. */
export function truncate(kernel: HeadKernel, beforeMs: number, clean: boolean): void {
  kernel.truncateSlice(beforeMs, 0, kernel.refEnd);
  if (clean) kernel.finishTruncate(true, 1, 0);
}
