/** Is this ring all right, and if not: what does not work, whose fault is it, and what is to be done. */
import type { Loss } from "../../ring/impact.ts";
import type { InstanceStatus, RingStatus } from "../../ring/status.ts";
import { formatDuration, formatNumberOf, formatShare, formatSome } from "../format.ts";
import { ringKind } from "./ring-kind.ts";

export type Tone = "good" | "warn" | "bad";

/** Beside the colour. */
export const TONE_MARK: Readonly<Record<Tone, string>> = { good: "✓", warn: "!", bad: "✕" };

export interface Verdict {
  readonly tone: Tone;
  /** One line, also on the first page. */
  readonly title: string;
  readonly facts: readonly string[];
  readonly advice: readonly string[];
}

export function ringVerdict(name: string, status: RingStatus): Verdict {
  const kind = ringKind(name);
  const { instances } = status;
  if (instances.length === 0) {
    return {
      tone: "bad",
      title: `No ${kind.one} is in the ring`,
      facts: [],
      advice: [
        `Start ${anOr(kind.one)}; if one runs, it has not found this process: compare the members on the memberlist page and the join addresses (-memberlist.join) of both.`,
      ],
    };
  }
  return kind.hasQuorum ? quorumVerdict(name, status) : presenceVerdict(name, status);
}

/** Where instances only have to be there. */
function presenceVerdict(name: string, { instances }: RingStatus): Verdict {
  const { one, many } = ringKind(name);
  const dead = instances.filter(({ isAlive }) => !isAlive);
  if (dead.length === 0) {
    const are = instances.length === 1 ? "is" : "are";
    return {
      tone: "good",
      title: `${formatNumberOf(instances.length, one, many)} ${are} there and healthy`,
      facts: [],
      advice: [],
    };
  }
  return {
    tone: dead.length === instances.length ? "bad" : "warn",
    title: `${dead.length} of ${formatNumberOf(instances.length, one, many)} ${dead.length === 1 ? "does" : "do"} not answer`,
    facts: [silentFact(dead)],
    advice: ["What has gone for good is forgotten by itself in a while; Forget does it now."],
  };
}

function quorumVerdict(name: string, status: RingStatus): Verdict {
  const { many } = ringKind(name);
  const { writes, reads } = status.quorum;
  const needed = minSuccess(status);
  const writesFail = isLost(writes);
  const readsFail = isLost(reads);
  if (writesFail || readsFail) {
    return {
      tone: "bad",
      title: brokenTitle(writesFail, readsFail),
      facts: [
        ...(writesFail ? [writesFact(writes, needed)] : []),
        ...(readsFail ? [readsFact(reads)] : []),
        ...trouble(status),
      ],
      advice: brokenAdvice(status, { writesFail, readsFail, many }),
    };
  }
  const facts = trouble(status);
  if (facts.length === 0) {
    return {
      tone: "good",
      title: "All is well: every write and every read has its quorum",
      facts: [
        `Each series goes to ${formatNumberOf(Math.min(status.replicationFactor, status.instances.length), one(name), many)}, and a write is acknowledged once ${needed} of them ${needed === 1 ? "has" : "have"} it.`,
      ],
      advice: [],
    };
  }
  return {
    tone: "warn",
    title: "Writes and reads work, but not every instance does",
    facts,
    advice: status.instances.some(({ isAlive }) => !isAlive)
      ? [
          "Bring the silent ones back while the others last: until then, one more loss may cost quorum. Choose an instance in the table to see what would happen without it.",
        ]
      : [],
  };
}

function one(name: string): string {
  return ringKind(name).one;
}

/** ⌊RF/2⌋ + 1 */
export function minSuccess({ replicationFactor }: Pick<RingStatus, "replicationFactor">): number {
  return Math.floor(replicationFactor / 2) + 1;
}

export function isLost({ rangesBelowQuorum, share }: Loss): boolean {
  return rangesBelowQuorum > 0 || share > 0;
}

function brokenTitle(writesFail: boolean, readsFail: boolean): string {
  if (writesFail && readsFail) return "Writes and reads fail";
  return writesFail ? "Writes fail, reads work" : "Reads fail, writes work";
}

function writesFact({ share, because }: Loss, needed: number): string {
  return `${formatShare(share)} of the keys cannot be written to ${needed} instances: pushes that touch them are answered with 5xx, and senders try again${missing(because)}.`;
}

function readsFact({ share, because }: Loss): string {
  return `Samples of ${formatShare(share)} of the keys may be on no instance that answers: queries fail and say so${missing(because)}.`;
}

function missing(because: readonly string[]): string {
  return because.length === 0 ? "" : ` (missing: ${formatSome(because)})`;
}

function brokenAdvice(
  { instances, replicationFactor }: RingStatus,
  broken: { readonly writesFail: boolean; readonly readsFail: boolean; readonly many: string },
): string[] {
  const dead = instances.filter(({ isAlive }) => !isAlive);
  const advice: string[] = [];
  if (dead.length > 0) {
    advice.push(
      `Start ${formatSome(dead.map(({ id }) => id))} again: everything recovers by itself, and what was acknowledged is there.`,
    );
  } else if (broken.writesFail) {
    advice.push(
      `Wait for those that are starting or leaving, or add ${broken.many}: at least ${minSuccess({ replicationFactor })} must be ACTIVE.`,
    );
  }
  if (broken.readsFail && dead.length > 0) {
    advice.push(
      "Only if an instance and its disk are lost for good, forget it: reads work again then, without the samples that were on it alone.",
    );
  }
  return advice;
}

/** One line for each kind of instance that is not as it should be. */
function trouble({ instances }: RingStatus): string[] {
  const dead = instances.filter(({ isAlive }) => !isAlive);
  const moving = instances.filter(
    ({ isAlive, state }) => isAlive && !["ACTIVE", "ACTIVE, read-only"].includes(state),
  );
  const readOnly = instances.filter(({ isAlive, readOnly }) => isAlive && readOnly);
  return [
    ...(dead.length === 0 ? [] : [silentFact(dead)]),
    ...(moving.length === 0
      ? []
      : [
          `On the move: ${formatSome(moving.map(({ id, state }) => `${id} (${state})`))}. Their rows go to the next instance meanwhile.`,
        ]),
    ...(readOnly.length === 0
      ? []
      : [`Read-only, so others take their rows: ${formatSome(readOnly.map(({ id }) => id))}.`]),
  ];
}

function silentFact(dead: readonly InstanceStatus[]): string {
  const longest = [...dead].sort((left, right) => right.heartbeatAgeMs - left.heartbeatAgeMs);
  const names = longest.map(
    ({ id, heartbeatAgeMs }) => `${id} (silent for ${formatDuration(heartbeatAgeMs)})`,
  );
  return `Not healthy: ${formatSome(names)}.`;
}

function anOr(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`;
}
