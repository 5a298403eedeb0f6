import type { OpError } from "../../src/base/errors.ts";
import type { Labels } from "../../src/model/labels.ts";
import type { IngesterClient, PushAnswer, UserStats } from "../../src/rpc/ingester.ts";
import type { EncodedSeriesSet } from "../../src/storage/encoded-series.ts";
import type { LabelsRequest, SelectRequest, SeriesRequest } from "../../src/storage/queryable.ts";
import { MemoryQueryable, type TestSeries } from "./memory-queryable.ts";

/** An ingester for tests of how ingesters are called: it reads from memory, and keeps push frames as they came. */
export class MemoryIngester implements IngesterClient {
  readonly pushes: { readonly tenant: string; readonly frame: Uint8Array }[] = [];
  /** Of the calls that came so far, in order; undefined where the caller gave none. */
  readonly signals: (AbortSignal | undefined)[] = [];
  answer: PushAnswer = { unknownSeries: new Uint32Array(0), rejected: [] };
  stats: readonly UserStats[] = [];
  /** Thrown by the next calls. */
  failure: Error | undefined;
  /** Calls wait for this, or until their signal fires. */
  gate: Promise<void> = Promise.resolve();
  /** In place of what is stored. */
  selectAnswer: EncodedSeriesSet | undefined;
  readonly #stored: MemoryQueryable;

  constructor(byTenant: Readonly<Record<string, readonly TestSeries[]>> = {}) {
    this.#stored = new MemoryQueryable(byTenant);
  }

  get selects(): readonly SelectRequest[] {
    return this.#stored.selects;
  }

  pushFrame(tenant: string, frame: Uint8Array, signal?: AbortSignal): Promise<PushAnswer> {
    this.pushes.push({ tenant, frame: new Uint8Array(frame) });
    return this.#run(signal, async () => this.answer);
  }

  allUserStats(signal?: AbortSignal): Promise<readonly UserStats[]> {
    return this.#run(signal, async () => this.stats);
  }

  select(tenant: string, request: SelectRequest): Promise<EncodedSeriesSet> {
    return this.#run(
      request.signal,
      async () => this.selectAnswer ?? this.#stored.select(tenant, request),
    );
  }

  labelNames(tenant: string, request: LabelsRequest): Promise<string[]> {
    return this.#run(request.signal, () => this.#stored.labelNames(tenant, request));
  }

  labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]> {
    return this.#run(request.signal, () => this.#stored.labelValues(tenant, name, request));
  }

  series(tenant: string, request: SeriesRequest): Promise<Labels[]> {
    return this.#run(request.signal, () => this.#stored.series(tenant, request));
  }

  async #run<Answer>(
    signal: AbortSignal | undefined,
    answer: () => Promise<Answer>,
  ): Promise<Answer> {
    this.signals.push(signal);
    await Promise.race([this.gate, aborted(signal)]);
    if (this.failure !== undefined) throw this.failure;
    return answer();
  }
}

/** Rejects with the reason when the signal fires. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => reject(signal?.reason as OpError);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}
