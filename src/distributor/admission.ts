import type { InstanceLimitName } from "./messages.ts";
import type { InstanceLimits } from "./options.ts";

/** Counts the pushes under way, and tells when the process has enough of them. */
export class Inflight {
  #requests = 0;
  #bytes = 0;

  get requests(): number {
    return this.#requests;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The limit that one more push would break, if any. */
  exceeded(
    limits: InstanceLimits,
    samplesPerSecond: number,
  ): { readonly name: InstanceLimitName; readonly limit: number } | undefined {
    const {
      maxIngestionRate,
      maxInflightPushRequests: maxRequests,
      maxInflightPushRequestsBytes: maxBytes,
    } = limits;
    if (maxRequests > 0 && this.#requests >= maxRequests) {
      return { name: "max_inflight_push_requests", limit: maxRequests };
    }
    if (maxIngestionRate > 0 && samplesPerSecond >= maxIngestionRate) {
      return { name: "max_ingestion_rate", limit: maxIngestionRate };
    }
    // As in Mimir the push that passes the limit is still taken: a limit below one request would refuse all.
    if (maxBytes > 0 && this.#bytes >= maxBytes) {
      return { name: "max_inflight_push_requests_bytes", limit: maxBytes };
    }
    return undefined;
  }

  enter(sizeBytes: number): Admission {
    this.#requests++;
    this.#bytes += sizeBytes;
    let counted = sizeBytes;
    let released = false;
    return {
      resize: (actualBytes) => {
        if (released) return;
        this.#bytes += actualBytes - counted;
        counted = actualBytes;
      },
      release: () => {
        if (released) return;
        released = true;
        this.#requests--;
        this.#bytes -= counted;
      },
    };
  }
}

/** A push that is counted as under way. */
export interface Admission {
  /** The body has this size after all (it came without a Content-Length). */
  resize(actualBytes: number): void;
  /** The push is over; more calls do nothing. */
  release(): void;
}
