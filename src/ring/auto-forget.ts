/**
 * Which dead instance may be taken out of the ring without asking anybody: the one that has been silent longest, if it was
 * for so long that it will not come back by itself, and if without it each range keeps its quorum for writes and for reads.
 * If samples may be on it that no other instance that answers has, it stays, and so does the error that says so to those
 * who query: a person decides then (`muninn tool ring evict`).
 *
 * One at a time: the next decision is made in the ring that comes of it. All members decide by the same rule, so it
 * does no harm if several do so at once.
 */
import { whatIf } from "./impact.ts";
import { compareText } from "./instance.ts";
import type { Member, RingView } from "./ring-view.ts";

export interface ForgetOptions {
  /** N × heartbeat timeout. */
  readonly forgetAfterMs: number;
  readonly silenceMs: (id: string) => number;
}

export interface ForgetDecision {
  readonly forget: Member | undefined;
  /** Silent for as long, and kept: why. For the log and the page. */
  readonly kept: readonly { readonly member: Member; readonly reason: string }[];
}

export function decideForget(view: RingView, options: ForgetOptions): ForgetDecision {
  const silent = view.members
    .filter((member) => !member.isAlive)
    .filter(({ instance }) => options.silenceMs(instance.id) > options.forgetAfterMs)
    .sort(
      (left, right) =>
        options.silenceMs(right.instance.id) - options.silenceMs(left.instance.id) ||
        compareText(left.instance.id, right.instance.id),
    );
  const kept: { member: Member; reason: string }[] = [];
  for (const member of silent) {
    const reason = reasonToKeep(view, member);
    if (reason === undefined) return { forget: member, kept };
    kept.push({ member, reason });
  }
  return { forget: undefined, kept };
}

/** Why an instance may not go, for people; undefined if it may. Also what the evict tool asks. */
export function reasonToKeep(view: RingView, { instance }: Member): string | undefined {
  const { ranges, writes, reads } = whatIf(view, instance.id);
  if (writes.rangesBelowQuorum > 0 || writes.share > 0) {
    return `without it ${percent(writes.share)} of the keys (${writes.rangesBelowQuorum} of ${ranges} ranges) could not be written to ${view.minSuccess} instances${and(writes.because)}`;
  }
  if (reads.rangesBelowQuorum > 0) {
    return `samples of ${percent(reads.share)} of the keys (${reads.rangesBelowQuorum} of ${ranges} ranges) may be on no instance that answers${and(reads.because)}`;
  }
  return undefined;
}

function and(because: readonly string[]): string {
  if (because.length === 0) return "";
  const named = because.slice(0, 5).join(", ");
  const more = because.length > 5 ? ` and ${because.length - 5} more` : "";
  return `; also missing: ${named}${more}`;
}

function percent(share: number): string {
  return `${(100 * share).toPrecision(3)}%`;
}
