/** What is wrong with a ring, by what its members say: pure, for `muninn tool ring verify`. */
import { age, harmless, percent, some } from "../table.ts";
import { hasLoss, quorumLines } from "./quorum-text.ts";
import type { RingInstance, RingPage } from "./ring-page.ts";

export interface Finding {
  /** Stable, for scripts. */
  readonly kind:
    | "unreachable"
    | "empty"
    | "quorum"
    | "unhealthy"
    | "late-heartbeat"
    | "clock"
    | "no-tokens"
    | "token-conflict"
    | "ownership"
    | "zone"
    | "disagreement"
    | "state"
    | "version";
  readonly text: string;
}

export interface Findings {
  readonly problems: readonly Finding[];
  /** Fine during an update or a scaling, and worth a look otherwise. */
  readonly notes: readonly Finding[];
}

/** Six of the default heartbeat periods. */
const HEARTBEAT_LATE_MS = 30_000;
const CLOCK_SKEW_MAX_MS = 5000;
const OWNERSHIP_SPREAD_MAX = 1.3;
/** With fewer, shares are uneven by nature: rings that only count their members have one. */
const TOKENS_FOR_EVENNESS_MIN = 64;

export function findingsOf(page: RingPage): Findings {
  return {
    problems: [
      ...emptyProblems(page),
      ...quorumProblems(page),
      ...page.instances.flatMap((instance) => instanceProblems(instance, page)),
      ...tokenConflicts(page.instances),
      ...ownershipProblems(page),
    ],
    notes: [...stateNotes(page.instances), ...versionNotes(page.instances)],
  };
}

/** Members that have heard the same see the same ring. */
export function disagreements(
  views: readonly { readonly url: string; readonly page: RingPage }[],
): Finding[] {
  const [first, ...others] = views;
  if (first === undefined) return [];
  return others.flatMap(({ url, page }) => {
    const here = new Map(first.page.instances.map((instance) => [instance.id, instance]));
    const there = new Map(page.instances.map((instance) => [instance.id, instance]));
    const differing = [...new Set([...here.keys(), ...there.keys()])].filter(
      (id) => viewOf(here.get(id)) !== viewOf(there.get(id)),
    );
    if (differing.length === 0) return [];
    const parts = differing
      .slice(0, 5)
      .map((id) => `${id}: ${viewOf(here.get(id))} and ${viewOf(there.get(id))}`);
    const text = `${first.url} and ${url} see ${differing.length} instances differently (${parts.join("; ")}): if this lasts, gossip between them is broken`;
    return [{ kind: "disagreement" as const, text: harmless(text) }];
  });
}

function viewOf(instance: RingInstance | undefined): string {
  if (instance === undefined) return "unknown";
  const { state, address, tokenCount } = instance;
  return `${state} at ${address} with ${tokenCount} tokens`;
}

function emptyProblems({ instances }: RingPage): Finding[] {
  return instances.length > 0 ? [] : [{ kind: "empty", text: "the ring has no instances" }];
}

function quorumProblems({ quorum }: RingPage): Finding[] {
  if (quorum === undefined || !(hasLoss(quorum.writes) || hasLoss(quorum.reads))) return [];
  const lost = [hasLoss(quorum.writes), hasLoss(quorum.reads)];
  return quorumLines(quorum)
    .filter((_, index) => lost[index])
    .map((text) => ({ kind: "quorum", text }));
}

function instanceProblems(instance: RingInstance, { nowMs, zoneAware }: RingPage): Finding[] {
  const { id, isAlive, heartbeatAgeMs, heartbeatMs } = instance;
  const problems: Finding[] = [];
  const add = (kind: Finding["kind"], text: string): void => {
    problems.push({ kind, text: harmless(`${id} ${text}`) });
  };
  if (!isAlive) add("unhealthy", `is unhealthy: it has been silent for ${age(heartbeatAgeMs)}`);
  else if (heartbeatAgeMs > HEARTBEAT_LATE_MS) {
    add(
      "late-heartbeat",
      `has been silent for ${age(heartbeatAgeMs)}: it hangs, or cannot be heard`,
    );
  }
  // An age that is learned from arrivals and one that is taken by the clock differ as the clocks do.
  const aheadMs = heartbeatMs + heartbeatAgeMs - nowMs;
  if (isAlive && Math.abs(aheadMs) > CLOCK_SKEW_MAX_MS) {
    const side = aheadMs > 0 ? "ahead" : "behind";
    add("clock", `has a clock that is ${age(Math.abs(aheadMs))} ${side}: check NTP there`);
  }
  if (instance.state === "ACTIVE" && instance.tokenCount === 0) {
    add("no-tokens", "is ACTIVE and has no tokens: nothing goes to it");
  }
  if (zoneAware && instance.zone === "") add("zone", "has no zone, and the ring is zone-aware");
  return problems;
}

function tokenConflicts(instances: readonly RingInstance[]): Finding[] {
  const ownerOf = new Map<number, string>();
  const pairs = new Map<string, number>();
  for (const { id, tokens } of instances) {
    for (const token of tokens) {
      const other = ownerOf.get(token);
      if (other === undefined) ownerOf.set(token, id);
      else pairs.set(`${other} and ${id}`, (pairs.get(`${other} and ${id}`) ?? 0) + 1);
    }
  }
  return [...pairs].map(([pair, count]) => ({
    kind: "token-conflict",
    text: harmless(`${pair} claim ${count} tokens both: restart one of them`),
  }));
}

/** Replicas span zones where the ring is zone-aware, so shares are compared within each. */
function ownershipProblems({ instances, zoneAware }: RingPage): Finding[] {
  const groups = new Map<string, RingInstance[]>();
  for (const instance of instances) {
    if (instance.tokenCount < TOKENS_FOR_EVENNESS_MIN || !instance.owned) continue;
    const zone = zoneAware ? instance.zone : "";
    groups.set(zone, [...(groups.get(zone) ?? []), instance]);
  }
  return [...groups].flatMap(([zone, group]) => {
    const byShare = group
      .map(({ id, owned = 0 }) => ({ id, owned }))
      .sort((left, right) => right.owned - left.owned);
    const [most, least] = [byShare[0], byShare.at(-1)];
    if (most === undefined || least === undefined) return [];
    const spread = most.owned / least.owned;
    if (spread <= OWNERSHIP_SPREAD_MAX) return [];
    const where = zone === "" ? "" : ` in zone ${zone}`;
    const text = `ownership${where} is uneven: ${most.id} has ${percent(most.owned)} and ${least.id} ${percent(least.owned)} (${spread.toFixed(2)} times; up to ${OWNERSHIP_SPREAD_MAX} is fine)`;
    return [{ kind: "ownership" as const, text: harmless(text) }];
  });
}

function stateNotes(instances: readonly RingInstance[]): Finding[] {
  return ["PENDING", "JOINING", "LEAVING"].flatMap((state) => {
    const ids = instances.filter((instance) => instance.state === state).map(({ id }) => id);
    if (ids.length === 0) return [];
    return [{ kind: "state" as const, text: `${state}: ${some(ids)}` }];
  });
}

function versionNotes(instances: readonly RingInstance[]): Finding[] {
  const keys = new Set(instances.flatMap(({ versions }) => Object.keys(versions)));
  return [...keys].sort().flatMap((key) => {
    const values = new Set(instances.map(({ versions }) => versions[key] ?? "none"));
    if (values.size < 2) return [];
    return [
      {
        kind: "version" as const,
        text: `versions of ${harmless(key)} differ: ${some([...values])}`,
      },
    ];
  });
}
