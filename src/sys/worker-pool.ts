/**
 * Worker threads for work that takes milliseconds (design.md section 2), on piscina.
 *
 * All threads are started at once and stay: the first query after a quiet night is as fast as the next, and a
 * thread that had to be killed is replaced before its work is missed. A job that is aborted while it runs takes
 * its thread with it (JavaScript cannot be interrupted otherwise), so abort only what is unwanted or runaway.
 *
 * The job's file exports a default function (job) => result. What is in `transfer` moves without a copy and is
 * empty here afterwards; a worker moves its own buffers out with piscina's `move`.
 */
import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import { OpError } from "../base/errors.ts";

export interface WorkerPool {
  /** Rejects with the signal's reason when it aborts, and with what the worker threw when it throws. */
  run(job: unknown, transfer: readonly ArrayBuffer[], signal: AbortSignal): Promise<unknown>;
  readonly threadCount: number;
  /** Jobs that wait for a thread. */
  readonly queueLength: number;
  /** Running jobs are killed. */
  close(): Promise<void>;
}

export interface WorkerPoolOptions {
  readonly file: URL;
  readonly threads: number;
  /** Jobs that may wait; more are refused with OpError "too-many-requests". */
  readonly queueMax: number;
}

/**
 * One core is left to the main thread, which serves the writes. Never fewer than two threads, so that one heavy
 * query cannot hold up everybody's light ones; at most eight, because one main thread cannot feed more
 * (to use more cores, run more processes).
 */
export function defaultQueryThreads(): number {
  return Math.min(8, Math.max(2, availableParallelism() - 1));
}

export function openWorkerPool(options: WorkerPoolOptions): WorkerPool {
  return new PiscinaPool(options);
}

/**
 * The queue is ours: piscina's does not bound tasks that can be aborted (they go to a list of their own), so it is
 * given a job only when a thread is free for it.
 */
class PiscinaPool implements WorkerPool {
  readonly #pool: Piscina;
  readonly #queueMax: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;
  #closed = false;
  readonly threadCount: number;

  constructor(options: WorkerPoolOptions) {
    this.threadCount = options.threads;
    this.#queueMax = options.queueMax;
    this.#pool = new Piscina({
      filename: options.file.href,
      minThreads: options.threads,
      maxThreads: options.threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      // One job a thread: an abort kills the thread, and may not take a neighbour along.
      concurrentTasksPerWorker: 1,
    });
    // A thread that dies without a job (while it starts, or by a late error) is replaced by the pool; a job's own
    // failure comes out of its promise. Without a listener Node would end the process.
    this.#pool.on("error", () => {});
  }

  async run(job: unknown, transfer: readonly ArrayBuffer[], signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    if (this.#running < this.threadCount) this.#running++;
    else await this.#wait(signal);
    try {
      if (this.#closed) throw new OpError("stopping", "the query workers are shutting down");
      return await this.#pool.run(job, { transferList: [...transfer], signal });
    } catch (error) {
      signal.throwIfAborted();
      throw explained(error);
    } finally {
      this.#running--;
      for (const admit of this.#waiting) {
        admit();
        break;
      }
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#queueMax) {
      throw new OpError("too-many-requests", "too many outstanding requests");
    }
    return new Promise((resolve, reject) => {
      const admit = (): void => {
        signal.removeEventListener("abort", abort);
        this.#waiting.delete(admit);
        this.#running++;
        resolve();
      };
      const abort = (): void => {
        this.#waiting.delete(admit);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.add(admit);
    });
  }

  get queueLength(): number {
    return this.#waiting.size;
  }

  /** Jobs that still wait are refused one by one as the killed ones give up their threads. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#pool.destroy();
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ("code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY") {
    const message = "the query needs more memory than a query worker may have";
    return new OpError("execution", message, {}, { cause: error });
  }
  return error;
}
