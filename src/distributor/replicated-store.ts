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
import type { IngesterClient, RejectedSamples } from "../rpc/ingester.ts";
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
    const unanswered = new Set(plan.targets);
    return new Promise((resolve) => {
      const settle = (target: Target, failure: Failure | undefined): void => {
        // It answers after the time is over: its rows count for nothing any more.
        if (!unanswered.delete(target)) return;
        if (unanswered.size === 0) timer.cancel();
        if (failure === undefined) quorum.succeeded(target.groups);
        else quorum.failed(target.groups, failure.error ? "server" : "client", failure);
        const { verdict } = quorum;
        if (verdict.outcome === "stored") resolve({ outcome: "stored", rejected: [] });
        else if (verdict.outcome === "refused" || verdict.outcome === "failed") {
          resolve(attemptOf(verdict.cause as Failure));
        }
      };
      const timer = this.#deps.clock.after(timeoutMs, () => {
        const text = `no answer within ${Math.round(timeoutMs)} ms`;
        for (const target of [...unanswered]) {
          this.#deps.metrics.failures.inc({ ingester: target.member.instance.id });
          settle(target, timeoutOf(target, new OpError("ingester-timeout", text)));
        }
      });
      for (const target of plan.targets) {
        const frame = frames.get(target.rows) as Uint8Array;
        this.#send(push, target, frame, { isAwaited: () => unanswered.has(target), isRetry }).then(
          (rejected) => settle(target, rejected.length === 0 ? undefined : { rejected }),
          (error: unknown) => settle(target, failureOf(target, error)),
        );
      }
    });
  }

  /** What the replica did not store of what it was sent, by row numbers. */
  async #send(
    push: DecodedPush,
    { member, rows }: Target,
    frame: Uint8Array,
    { isAwaited, isRetry }: { readonly isAwaited: () => boolean; readonly isRetry: boolean },
  ): Promise<readonly RejectedSamples[]> {
    const { metrics, clientFor } = this.#deps;
    const { id } = member.instance;
    metrics.appends.inc({ ingester: id });
    metrics.sentBytes.inc(frame.length);
    try {
      const client = clientFor(member);
      const first = await client.pushFrame(push.tenant, frame, undefined, isRetry);
      const rowOf = (index: number): number => (rows === undefined ? index : (rows[index] ?? 0));
      const rejected = renumbered(first.rejected, rowOf);
      if (first.unknownSeries.length === 0 || !isAwaited()) return rejected;
      const wanted = Uint32Array.from(first.unknownSeries, rowOf).sort();
      metrics.seriesResent.inc(wanted.length);
      push.withLabels(wanted);
      const labelled = push.frame(undefined);
      metrics.sentBytes.inc(labelled.length);
      const second = await client.pushFrame(push.tenant, labelled, undefined, isRetry);
      mustKnow(second, id);
      return [...rejected, ...renumbered(second.rejected, (index) => wanted[index] ?? 0)];
    } catch (error) {
      if (isAwaited()) metrics.failures.inc({ ingester: id });
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
function failureOf(target: Target, cause: unknown): Failure {
  const code = cause instanceof OpError ? cause.code : "unavailable";
  return { error: named(target, code, cause), mayRetry: !code.startsWith("ingester-max-") };
}

function timeoutOf(target: Target, cause: OpError): Failure {
  return { error: named(target, cause.code, cause), mayRetry: false };
}

function named({ member }: Target, code: string, cause: unknown): OpError {
  const { id, address } = member.instance;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `failed pushing to ingester ${id} (${address}, ${shownState(member)}): ${reason}`;
  return new OpError(code, message, {}, { cause });
}
