/**
 * The store of a process that is alone: its own ingester has every row once. Rows go without labels where the table of known
 * series has them; those that the ingester does not know go once more, with labels.
 */
import type { Clock } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import type { IntakeRows } from "../kernel/host/intake.ts";
import type { LocalIngester, PushAnswer, RejectedSamples, SeriesBatch } from "../rpc/ingester.ts";
import type { ReplicationMetrics } from "./replication-metrics.ts";
import type { DecodedPush, RowStore } from "./row-store.ts";

export interface DirectStoreDependencies {
  readonly ingester: Pick<LocalIngester, "push">;
  readonly clock: Clock;
  readonly remoteTimeoutMs: number;
  readonly metrics: Pick<ReplicationMetrics, "seriesResent">;
}

export class DirectStore implements RowStore {
  readonly #deps: DirectStoreDependencies;

  constructor(deps: DirectStoreDependencies) {
    this.#deps = deps;
  }

  async store(push: DecodedPush): Promise<readonly RejectedSamples[]> {
    const { kept, rows } = push;
    const first = await this.#send(push.tenant, kept === undefined ? rows : subset(rows, kept));
    const rowOf = (index: number): number => kept?.[index] ?? index;
    const rejected = renumbered(first.rejected, rowOf);
    if (first.unknownSeries.length === 0) return rejected;
    const wanted = Uint32Array.from(first.unknownSeries, rowOf).sort();
    this.#deps.metrics.seriesResent.inc(wanted.length);
    const second = await this.#send(push.tenant, push.withLabels(wanted));
    mustKnow(second, "the ingester");
    return [...rejected, ...renumbered(second.rejected, (index) => wanted[index] ?? 0)];
  }

  /** Gives up waiting after the remote timeout; whatever comes later is ignored. */
  #send(tenant: string, batch: SeriesBatch): Promise<PushAnswer> {
    const { clock, remoteTimeoutMs, ingester } = this.#deps;
    return new Promise((resolve, reject) => {
      const timer = clock.after(remoteTimeoutMs, () => {
        const text = `the ingester did not answer within ${remoteTimeoutMs} ms`;
        reject(new OpError("ingester-timeout", text));
      });
      ingester
        .push(tenant, batch)
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }
}

/** Rejections with row numbers of the push in place of those of what was sent. */
export function renumbered(
  rejected: readonly RejectedSamples[],
  rowOf: (index: number) => number,
): RejectedSamples[] {
  return rejected.map((one) => ({ ...one, seriesIndex: rowOf(one.seriesIndex) }));
}

/** Throws if series are unknown that came with labels. */
export function mustKnow(answer: PushAnswer, who: string): void {
  if (answer.unknownSeries.length === 0) return;
  throw new OpError("unavailable", `${who} does not know series that came with labels`, {
    series: answer.unknownSeries.length,
  });
}

/** A copy of some rows. */
function subset(rows: IntakeRows, kept: Uint32Array): SeriesBatch {
  const sampleOffsets = new Uint32Array(kept.length + 1);
  const labelOffsets = new Uint32Array(kept.length + 1);
  for (const [at, row] of kept.entries()) {
    sampleOffsets[at + 1] = (sampleOffsets[at] ?? 0) + lengthOf(rows.sampleOffsets, row);
    labelOffsets[at + 1] =
      (labelOffsets[at] ?? 0) + (rows.labels ? lengthOf(rows.labels.offsets, row) : 0);
  }
  const sampleCount = sampleOffsets[kept.length] ?? 0;
  const batch = {
    seriesCount: kept.length,
    ids: new Uint8Array(16 * kept.length),
    sampleOffsets,
    timestampsMs: new BigInt64Array(sampleCount),
    values: new Float64Array(sampleCount),
    labels: { bytes: new Uint8Array(labelOffsets[kept.length] ?? 0), offsets: labelOffsets },
  };
  for (const [at, row] of kept.entries()) {
    batch.ids.set(rows.ids.subarray(16 * row, 16 * row + 16), 16 * at);
    const [from, to] = [rows.sampleOffsets[row], rows.sampleOffsets[row + 1]];
    batch.timestampsMs.set(rows.timestampsMs.subarray(from, to), sampleOffsets[at]);
    batch.values.set(rows.values.subarray(from, to), sampleOffsets[at]);
    if (rows.labels === undefined) continue;
    const { bytes, offsets } = rows.labels;
    batch.labels.bytes.set(bytes.subarray(offsets[row], offsets[row + 1]), labelOffsets[at]);
  }
  const { labels, ...withoutLabels } = batch;
  return labels.bytes.length === 0 ? withoutLabels : batch;
}

function lengthOf(offsets: Uint32Array, row: number): number {
  return (offsets[row + 1] ?? 0) - (offsets[row] ?? 0);
}
