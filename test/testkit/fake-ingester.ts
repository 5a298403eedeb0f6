import { assert } from "../../src/base/assert.ts";
import type {
  LocalIngester,
  PushAnswer,
  RejectedSamples,
  SeriesBatch,
} from "../../src/rpc/ingester.ts";
import { decodePushFrame } from "../../src/wire/push-frame.ts";
import { decodeCanonicalLabels } from "../../src/wire/remote-write.ts";

export interface StoredSeries {
  readonly labels: string;
  readonly samples: (readonly [timeMs: number, value: number])[];
}

/**
 * An ingester in plain maps: it knows series by id once they came with labels, and stores what it is given.
 * Like the real one it reads the batch before its first await.
 */
export class FakeIngester implements Pick<LocalIngester, "push" | "pushFrame"> {
  /** By tenant, then by id in hex. */
  readonly tenants = new Map<string, Map<string, StoredSeries>>();
  /** Series counts of the calls, with labels or without. */
  readonly calls: { readonly series: number; readonly withLabels: boolean }[] = [];
  /** Says what is not stored of a batch; nothing by default. */
  reject: (batch: SeriesBatch) => readonly RejectedSamples[] = () => [];
  /** Thrown by the next calls. */
  failure: Error | undefined;
  /** Answers wait for this. */
  gate: Promise<void> = Promise.resolve();
  /** Claims to know nothing, labels or not. */
  amnesia = false;

  async push(tenant: string, batch: SeriesBatch): Promise<PushAnswer> {
    this.calls.push({ series: batch.seriesCount, withLabels: batch.labels !== undefined });
    const answer = this.#store(tenant, batch);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    return answer;
  }

  async pushFrame(tenant: string, frame: Uint8Array): Promise<PushAnswer> {
    const decoded = decodePushFrame(frame);
    assert(!("malformed" in decoded), "a distributor sends whole frames");
    return this.push(tenant, decoded);
  }

  /** Restarted with an empty disk. */
  forget(): void {
    this.tenants.clear();
  }

  /** Keeps the first `count` series of a tenant. */
  forgetAllBut(tenant: string, count: number): void {
    const kept = [...(this.tenants.get(tenant) ?? [])].slice(0, count);
    this.tenants.set(tenant, new Map(kept));
  }

  series(tenant: string): Record<string, StoredSeries["samples"]> {
    const all = [...(this.tenants.get(tenant)?.values() ?? [])];
    return Object.fromEntries(all.map(({ labels, samples }) => [labels, samples]));
  }

  #store(tenant: string, batch: SeriesBatch): PushAnswer {
    const series = this.tenants.get(tenant) ?? new Map<string, StoredSeries>();
    this.tenants.set(tenant, series);
    const unknown: number[] = [];
    for (let i = 0; i < batch.seriesCount; i++) {
      const id = Buffer.from(batch.ids.subarray(16 * i, 16 * i + 16)).toString("hex");
      if (this.amnesia || !this.#store1(series, id, batch, i)) unknown.push(i);
    }
    return { unknownSeries: Uint32Array.from(unknown), rejected: this.reject(batch) };
  }

  /** False when the series is not known and came without labels. */
  #store1(
    series: Map<string, StoredSeries>,
    id: string,
    batch: SeriesBatch,
    index: number,
  ): boolean {
    let stored = series.get(id);
    if (stored === undefined) {
      if (batch.labels === undefined) return false;
      const { bytes, offsets } = batch.labels;
      if (offsets[index] === offsets[index + 1]) return false;
      const labels = decodeCanonicalLabels(bytes.subarray(offsets[index], offsets[index + 1]));
      stored = {
        labels: labels.map(({ name, value }) => `${name}=${value}`).join(","),
        samples: [],
      };
      series.set(id, stored);
    }
    const from = batch.sampleOffsets[index] ?? 0;
    const to = batch.sampleOffsets[index + 1] ?? 0;
    for (let j = from; j < to; j++) {
      stored.samples.push([Number(batch.timestampsMs[j]), batch.values[j] ?? Number.NaN]);
    }
    return true;
  }
}
