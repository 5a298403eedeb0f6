/**
 * Which dead instance may be taken out of the ring without asking anybody: the one that has been silent longest, if it was
 * for so long that it will not come back by itself, and if without it each range keeps its quorum for writes and no sample
 * that was acknowledged gets out of reach. If samples may be on it that no other instance that answers has, it stays, and so
 * does the error that says so to those who query: a person decides then (`muninn tool ring evict`).
 *
 * Out of reach may be what minSuccess instances have, whichever they are: a tenant's shard or a spill-over may have brought
 * together instances that share no range. So all that are missing count, not those of a range (planReads does the same).
 *
 * One at a time: the next decision is made in the ring that comes of it. All members decide by the same rule, so it
 * does no harm if several do so at once.
 */
import { whatIf } from "./impact.ts";
import { compareText } from "./instance.ts";
import { answersReads, type Member, type RingView } from "./ring-view.ts";

export interface ForgetOptions {
  /** N × heartbeat timeout. */
  readonly forgetAfterMs: number;
  /** How long we ourselves have waited for news of it: a clock that is wrong must not make anybody forgotten. */
  readonly quietMs: (id: string) => number;
}

export interface ForgetDecision {
  readonly forget: Member | undefined;
  /** Silent for as long, and kept: why. For the log and the page. */
  readonly kept: readonly { readonly member: Member; readonly reason: string }[];
}

export function decideForget(view: RingView, options: ForgetOptions): ForgetDecision {
  const silent = view.members
    .filter((member) => !member.isAlive)
    .filter(({ instance }) => options.quietMs(instance.id) > options.forgetAfterMs)
    .sort(
      (left, right) =>
        options.quietMs(right.instance.id) - options.quietMs(left.instance.id) ||
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
export function reasonToKeep(view: RingView, member: Member): string | undefined {
  const { ranges, writes, reads } = whatIf(view, member.instance.id);
  if (writes.rangesBelowQuorum > 0 || writes.share > 0) {
    return `without it ${percent(writes.share)} of the keys (${writes.rangesBelowQuorum} of ${ranges} ranges) could not be written to ${view.minSuccess} instances${and(writes.because)}`;
  }
  if (!member.instance.hasData) return undefined;
  const others = view.members.filter(
    (other) => other.instance.id !== member.instance.id && isMissing(other),
  );
  // What is gone for good counts like what is away.
  const away = [member, ...others];
  const lost = view.losses
    .filter(({ id }) => away.every(({ instance }) => instance.id !== id))
    .map((instance) => ({ instance }));
  if (view.countUnits([...away, ...lost]) < view.minSuccess) return undefined;
  const whose =
    reads.rangesBelowQuorum === 0
      ? "samples of some tenants or of times when others were away"
      : `samples of ${percent(reads.share)} of the keys (${reads.rangesBelowQuorum} of ${ranges} ranges)`;
  return `${whose} may be on no instance that answers${and([...others, ...lost].map(({ instance }) => instance.id))}`;
}

/** Samples are on it that nobody can ask for. */
function isMissing(member: Member): boolean {
  return member.instance.hasData && !answersReads(member);
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
