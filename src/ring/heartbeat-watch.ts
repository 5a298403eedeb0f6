/**
 * How long each instance has been silent, whatever its clock says.
 *
 * Heartbeats carry the time of the sender's clock. Where it is five minutes slow, a comparison with ours would call a
 * live instance dead; where it is an hour fast, a dead one would look alive for an hour. So it is learned how far the
 * two clocks are apart: `now - heartbeat` at the moment when a new heartbeat arrives is that difference plus the time
 * that the news took, and the least of the last few comes nearest to the difference. A heartbeat that was held up by a
 * partition therefore does not make a dead instance look alive.
 *
 * Of an instance seen for the first time nothing is known but this heartbeat: it is taken by our clock, unless it lies
 * in the future, which can only be the fault of a clock.
 *
 * `nowMs` must not jump: take the wall clock at the start plus the monotonic time since.
 */
import type { RingDescriptor } from "./descriptor.ts";

/** Times the heartbeat period this must stay below the timeout, for after a jump of its clock backwards an instance is that much silent. */
const DELAYS_KEPT = 3;

interface Watched {
  readonly heartbeatMs: number;
  /** now − heartbeat at the last arrivals, newest last. */
  readonly delaysMs: readonly number[];
  /** The delays are of heartbeats that arrived while we watched. */
  readonly isLearned: boolean;
  /** When we saw it for the first time, or a new heartbeat of it. */
  readonly newsAtMs: number;
}

export class HeartbeatWatch {
  #watched = new Map<string, Watched>();

  observe(ring: RingDescriptor, nowMs: number): void {
    const watched = new Map<string, Watched>();
    for (const { id, heartbeatMs } of ring.values()) {
      watched.set(id, next(this.#watched.get(id), heartbeatMs, nowMs));
    }
    this.#watched = watched;
  }

  /** Since its last heartbeat, in our time; infinite for an unknown instance. */
  silenceMs(id: string, nowMs: number): number {
    const watched = this.#watched.get(id);
    if (watched === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, nowMs - watched.heartbeatMs - Math.min(...watched.delaysMs));
  }

  /** How long we have waited for news of it ourselves: 0 when it is seen first, whatever its heartbeat says. */
  quietMs(id: string, nowMs: number): number {
    const watched = this.#watched.get(id);
    return watched === undefined ? 0 : Math.max(0, nowMs - watched.newsAtMs);
  }
}

function next(before: Watched | undefined, heartbeatMs: number, nowMs: number): Watched {
  const delayMs = nowMs - heartbeatMs;
  if (before === undefined) {
    const delaysMs = [Math.min(0, delayMs)];
    return { heartbeatMs, delaysMs, isLearned: false, newsAtMs: nowMs };
  }
  if (heartbeatMs <= before.heartbeatMs) return before;
  const learned = before.isLearned ? before.delaysMs : [];
  return {
    heartbeatMs,
    delaysMs: [...learned, delayMs].slice(-DELAYS_KEPT),
    isLearned: true,
    newsAtMs: nowMs,
  };
}
