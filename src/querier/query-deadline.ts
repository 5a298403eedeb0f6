import type { Clock } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";

const OVER = new OpError("canceled", "the query is over");

export type QueryStage = "query queue" | "query execution" | "expression evaluation";

/**
 * One AbortSignal for everything that can end a query early: its time is up (Prometheus: 503 "timeout") or its
 * client is gone (499 "canceled"). The reason of the signal is the OpError to answer with. `close` when the query is over:
 * what is still under way for it, because something else of it failed, then ends too.
 */
export class QueryDeadline {
  /** For the text of the error. */
  stage: QueryStage = "query queue";
  readonly #controller = new AbortController();
  readonly #close: () => void;

  constructor(timeoutMs: number, client: AbortSignal, clock: Clock) {
    const gone = (): void => {
      const message = `query was canceled in ${this.stage}`;
      this.#controller.abort(new OpError("canceled", message));
    };
    const late = (): void => {
      const message = `query timed out in ${this.stage}`;
      this.#controller.abort(new OpError("timeout", message, { timeoutMs }));
    };
    client.addEventListener("abort", gone, { once: true });
    const timer = timeoutMs > 0 ? clock.after(timeoutMs, late) : undefined;
    this.#close = () => {
      client.removeEventListener("abort", gone);
      timer?.cancel();
      this.#controller.abort(OVER);
    };
    if (client.aborted) gone();
    else if (timeoutMs <= 0) late();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What `work` gives, unless the deadline comes first; its late answer is dropped. */
  async race<Result>(work: Promise<Result>): Promise<Result> {
    const { signal } = this;
    let stop = (): void => {};
    const ended = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason as Error);
      signal.addEventListener("abort", stop, { once: true });
    });
    try {
      signal.throwIfAborted();
      return await Promise.race([work, ended]);
    } finally {
      signal.removeEventListener("abort", stop);
      // An answer or failure that comes after the end belongs to nobody.
      work.catch(() => {});
    }
  }

  close(): void {
    this.#close();
  }
}
