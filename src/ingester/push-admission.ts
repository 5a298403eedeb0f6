import { OpError } from "../base/errors.ts";
import { EwmaRate } from "../base/ewma-rate.ts";
import type { PushFrameHeader } from "../wire/push-frame.ts";
import type { IngesterInstanceLimits } from "./options.ts";

/**
 * Counts the pushes under way and the samples that come in, and refuses pushes by the instance limits, which protect
 * the process: what they refuse is answered with 5xx and comes again.
 */
export class PushAdmission {
  readonly #limits: () => IngesterInstanceLimits;
  readonly #rejected: (reason: string) => void;
  readonly #rate = new EwmaRate();
  #requests = 0;
  #bytes = 0;

  /** `limits` is read at every push: the runtime file may change them. */
  constructor(limits: () => IngesterInstanceLimits, rejected: (reason: string) => void) {
    this.#limits = limits;
    this.#rejected = rejected;
  }

  get requests(): number {
    return this.#requests;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get samplesPerSecond(): number {
    return this.#rate.perSecond;
  }

  /** Once a second. */
  tick(intervalMs: number): void {
    this.#rate.tick(intervalMs);
  }

  /** Throws if a limit is reached. `leave` with what this answers. */
  enter(size: PushFrameHeader): number {
    this.#check();
    const sizeBytes = memoryBytes(size);
    this.#requests++;
    this.#bytes += sizeBytes;
    return sizeBytes;
  }

  leave(sizeBytes: number): void {
    this.#requests--;
    this.#bytes -= sizeBytes;
  }

  stored(samples: number): void {
    this.#rate.add(samples);
  }

  #check(): void {
    const { maxInflightPushRequests, maxInflightPushRequestsBytes, maxIngestionRate } =
      this.#limits();
    if (maxInflightPushRequests > 0 && this.#requests >= maxInflightPushRequests) {
      this.#rejected("ingester_max_inflight_push_requests");
      throw new OpError(
        "ingester-max-inflight-push-requests",
        `the write request has been rejected because the ingester has ${maxInflightPushRequests} of them under way (err-mimir-ingester-max-inflight-push-requests). The log or its disk is slow; retry, or configure -ingester.instance-limits.max-inflight-push-requests`,
      );
    }
    // The push that passes the limit is still taken: a limit below the size of one push would refuse all.
    if (maxInflightPushRequestsBytes > 0 && this.#bytes >= maxInflightPushRequestsBytes) {
      this.#rejected("ingester_max_inflight_push_requests_bytes");
      throw new OpError(
        "ingester-max-inflight-push-requests-bytes",
        `the write request has been rejected because the ingester has ${this.#bytes} bytes of them under way, of ${maxInflightPushRequestsBytes} (err-mimir-ingester-max-inflight-push-requests-bytes). The log or its disk is slow; retry, or configure -ingester.instance-limits.max-inflight-push-requests-bytes`,
      );
    }
    if (maxIngestionRate > 0 && this.#rate.perSecond >= maxIngestionRate) {
      this.#rejected("ingester_max_ingestion_rate");
      throw new OpError(
        "ingester-max-ingestion-rate",
        `the write request has been rejected because the ingester takes ${maxIngestionRate} samples a second already (err-mimir-ingester-max-ingestion-rate). Retry, add ingesters, or configure -ingester.instance-limits.max-ingestion-rate`,
      );
    }
  }
}

/** What the rows take in memory, give or take a few bytes. */
function memoryBytes({ seriesCount, sampleCount, labelBytes }: PushFrameHeader): number {
  return 20 * seriesCount + 16 * sampleCount + labelBytes;
}
