import type { Label, Labels } from "../model/labels.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import { compareLabels } from "./label-ops.ts";

const NO_LABELS: Labels = [];

/** Reads the labels of an EncodedSeriesSet; each symbol becomes a string at most once. */
export class SetReader {
  readonly set: EncodedSeriesSet;
  readonly #symbols: (string | undefined)[];
  readonly #wanted: ReadonlySet<string> | undefined;
  readonly #text: Buffer;

  /** With `labelsWanted`, other labels are left out even if the set has them. */
  constructor(set: EncodedSeriesSet, labelsWanted: readonly string[] | undefined) {
    this.set = set;
    this.#symbols = Array.from<string | undefined>({ length: set.symbolOffsets.length - 1 });
    this.#wanted = labelsWanted === undefined ? undefined : new Set(labelsWanted);
    const { buffer, byteOffset, length } = set.symbolBytes;
    this.#text = Buffer.from(buffer, byteOffset, length);
  }

  labels(series: number): Labels {
    if (this.#wanted?.size === 0) return NO_LABELS;
    const { labelOffsets, labels } = this.set;
    const out: Label[] = [];
    for (let i = labelOffsets[series]!; i < labelOffsets[series + 1]!; i++) {
      const name = this.#symbol(labels[2 * i]!);
      if (this.#wanted?.has(name) === false) continue;
      out.push({ name, value: this.#symbol(labels[2 * i + 1]!) });
    }
    return out;
  }

  /** Series indexes in the order of their labels, so that ties are broken the same way on every run. */
  sorted(): number[] {
    const all = Array.from({ length: this.set.seriesCount }, (_, i) => ({
      i,
      labels: this.labels(i),
    }));
    return all.sort((a, b) => compareLabels(a.labels, b.labels)).map(({ i }) => i);
  }

  #symbol(index: number): string {
    const known = this.#symbols[index];
    if (known !== undefined) return known;
    const { symbolOffsets } = this.set;
    const text = this.#text.toString("utf8", symbolOffsets[index], symbolOffsets[index + 1]);
    this.#symbols[index] = text;
    return text;
  }
}
