/**
 * The store of a cluster: each row goes to its replica set in the ring, and the push is answered when enough replicas have
 * every row (ring/quorum.ts), without waiting for the others. These get their rows all the same, until the remote timeout
 * is over.
 *
 * What cannot be stored at this moment, because the ring has just changed or a replica is on its way out, is tried again
 * a little later within the same timeout, then also of replicas that are left alone because they failed lately: a rolling restart
 * is nobody's error. Storing the same sample twice does no harm.
 */
import type { Clock } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import type { IntakeRows } from "../kernel/host/intake.ts";
import { WriteQuorum } from "../ring/quorum.ts";
import { type Member, type RingView, shownState } from "../ring/ring-view.ts";
import type { ShardRequest } from "../ring/shuffle-shard.ts";
import type { IngesterClient, PushAnswer, RejectedSamples } from "../rpc/ingester.ts";
import { mustKnow, renumbered } from "./direct-store.ts";
import type { ReplicationMetrics } from "./metrics.ts";
import { planReplicas, type Target } from "./replica-plan.ts";
import type { DecodedPush, RowStore } from "./row-store.ts";

export interface ReplicatedStoreDependencies {
  readonly ring: {
    shard(request: ShardRequest): RingView;
    /** True when the ring changes within the time. */
    changed(timeoutMs: number): Promise<boolean>;
  };
  readonly clientFor: (member: Member) => Pick<IngesterClient, "pushFrame">;
  readonly clock: Clock;
  readonly metrics: ReplicationMetrics;
  readonly remoteTimeoutMs: number;
}

/** Waits before another attempt; a change of the ring ends a wait. */
const RETRY_AFTER_MS = [100, 400];
/** An attempt that has less time than this is not begun. */
const ATTEMPT_MS_MIN = 100;

type Attempt =
  | { readonly outcome: "stored"; readonly rejected: readonly RejectedSamples[] }
  | { readonly outcome: "failed"; readonly error: OpError; readonly mayRetry: boolean };

export class ReplicatedStore implements RowStore {
  readonly #deps: ReplicatedStoreDependencies;

  constructor(deps: ReplicatedStoreDependencies) {
    this.#deps = deps;
  }

  async store(push: DecodedPush): Promise<readonly RejectedSamples[]> {
    const { clock, remoteTimeoutMs, ring, metrics } = this.#deps;
    const untilMs = clock.monotonicMs() + remoteTimeoutMs;
    for (let attempt = 0; ; attempt++) {
      const leftMs = untilMs - clock.monotonicMs();
      const rows = attempt === 0 ? push.rows : push.again();
      const result = await this.#attempt(push, rows, { timeoutMs: leftMs, isRetry: attempt > 0 });
      if (result.outcome === "stored") return result.rejected;
      const waitMs = RETRY_AFTER_MS[attempt];
      const isOver = untilMs - clock.monotonicMs() < (waitMs ?? 0) + ATTEMPT_MS_MIN;
      if (!result.mayRetry || waitMs === undefined || isOver) throw result.error;
      metrics.retries.inc();
      await ring.changed(waitMs);
    }
  }

  /** `rows` are fresh: everything that reads them is done before the first await. */
  #attempt(
    push: DecodedPush,
    rows: IntakeRows,
    { timeoutMs, isRetry }: { readonly timeoutMs: number; readonly isRetry: boolean },
  ): Promise<Attempt> {
    const { tenant, limits } = push;
    const view = this.#deps.ring.shard({ tenant, size: limits.ingestionTenantShardSize });
    const plan = planReplicas(view, rows.tokens, push.kept);
    if ("fault" in plan) {
      const error = new OpError("too-few-replicas", plan.fault);
      return Promise.resolve({ outcome: "failed", error, mayRetry: true });
    }
    const frames = new Map<Uint32Array | undefined, Uint8Array>();
    for (const { rows: numbers } of plan.targets) {
      if (!frames.has(numbers)) frames.set(numbers, push.frame(numbers));
    }
    const quorum = new WriteQuorum(plan.groups);
    const abort = new AbortController();
    const timeout = new OpError("ingester-timeout", `no answer within ${Math.round(timeoutMs)} ms`);
    const timer = this.#deps.clock.after(timeoutMs, () => abort.abort(timeout));
    let unanswered = plan.targets.length;
    return new Promise((resolve) => {
      const look = (): void => {
        unanswered--;
        if (unanswered === 0) timer.cancel();
        const { verdict } = quorum;
        if (verdict.outcome === "stored") resolve({ outcome: "stored", rejected: [] });
        else if (verdict.outcome === "refused" || verdict.outcome === "failed") {
          resolve(attemptOf(verdict.cause as Failure));
        }
      };
      for (const target of plan.targets) {
        const frame = frames.get(target.rows) as Uint8Array;
        void this.#send(push, target, frame, { signal: abort.signal, isRetry })
          .then(
            (rejected) => {
              if (rejected.length === 0) quorum.succeeded(target.groups);
              else quorum.failed(target.groups, "client", { rejected } satisfies Failure);
            },
            (error: unknown) =>
              quorum.failed(target.groups, "server", failureOf(target, error, abort.signal)),
          )
          .then(look);
      }
    });
  }

  /** What the replica did not store of what it was sent, by row numbers. */
  async #send(
    push: DecodedPush,
    { member, rows }: Target,
    frame: Uint8Array,
    { signal, isRetry }: { readonly signal: AbortSignal; readonly isRetry: boolean },
  ): Promise<readonly RejectedSamples[]> {
    const { metrics, clientFor } = this.#deps;
    const { id } = member.instance;
    metrics.appends.inc({ ingester: id });
    metrics.sentBytes.inc(frame.length);
    try {
      const client = clientFor(member);
      const send = (bytes: Uint8Array): Promise<PushAnswer> =>
        untilAborted(client.pushFrame(push.tenant, bytes, signal, isRetry), signal);
      const first = await send(frame);
      const rowOf = (index: number): number => (rows === undefined ? index : (rows[index] ?? 0));
      const rejected = renumbered(first.rejected, rowOf);
      if (first.unknownSeries.length === 0) return rejected;
      const wanted = Uint32Array.from(first.unknownSeries, rowOf).sort();
      metrics.seriesResent.inc(wanted.length);
      push.withLabels(wanted);
      const labelled = push.frame(undefined);
      metrics.sentBytes.inc(labelled.length);
      const second = await send(labelled);
      mustKnow(second, id);
      return [...rejected, ...renumbered(second.rejected, (index) => wanted[index] ?? 0)];
    } catch (error) {
      metrics.failures.inc({ ingester: id });
      throw error;
    }
  }
}

interface Failure {
  readonly rejected?: readonly RejectedSamples[];
  readonly error?: OpError;
  readonly mayRetry?: boolean;
}

function attemptOf({ rejected, error, mayRetry }: Failure): Attempt {
  if (rejected !== undefined) return { outcome: "stored", rejected };
  return {
    outcome: "failed",
    error: error ?? new OpError("unavailable", "replicas disagree about what they can store"),
    mayRetry: mayRetry ?? true,
  };
}

/** Whatever one replica did wrong: named, and with the code of what it said. */
function failureOf({ member }: Target, thrown: unknown, signal: AbortSignal): Failure {
  const isTimeout = signal.aborted;
  const cause: unknown = isTimeout ? signal.reason : thrown;
  const { id, address } = member.instance;
  const code = cause instanceof OpError ? cause.code : "unavailable";
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `failed pushing to ingester ${id} (${address}, ${shownState(member)}): ${reason}`;
  const isLimit = code.startsWith("ingester-max-");
  return {
    error: new OpError(code, message, {}, { cause }),
    mayRetry: !isTimeout && !isLimit,
  };
}

/** A local replica does not look at the signal. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", giveUp, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}
