/**
 * The store of a process that is alone: its own ingester has every row once. Rows go without labels where the table of known
 * series has them; those that the ingester does not know go once more, with labels.
 */
import type { Clock } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import type { LocalIngester, PushAnswer, RejectedSamples, SeriesBatch } from "../rpc/ingester.ts";
import type { ReplicationMetrics } from "./metrics.ts";
import type { DecodedPush, RowStore } from "./row-store.ts";
import { subset } from "./subset.ts";

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
