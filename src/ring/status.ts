/** The ring in one value, for pages, the JSON behind them and the tools. */
import { type Impact, whatIf } from "./impact.ts";
import { heldShares, type Ownership, ownershipOf } from "./ownership.ts";
import type { Ring } from "./ring.ts";
import { type RingView, shownState } from "./ring-view.ts";

export interface RingStatus {
  readonly nowMs: number;
  readonly replicationFactor: number;
  readonly zoneAware: boolean;
  readonly instances: readonly InstanceStatus[];
  readonly zones: readonly ZoneStatus[];
  /** What is below quorum right now. */
  readonly quorum: Impact;
}

export interface InstanceStatus {
  readonly id: string;
  readonly address: string;
  readonly zone: string;
  /** UNHEALTHY in place of the state of an instance that is silent for too long. */
  readonly state: string;
  readonly isAlive: boolean;
  readonly serving: boolean;
  readonly heartbeatMs: number;
  /** By our clock. */
  readonly heartbeatAgeMs: number;
  readonly registeredAtMs: number;
  readonly readOnly: boolean;
  readonly readOnlyUpdatedAtMs: number;
  readonly tokenCount: number;
  /** Part of the keys, 0 to 1, whose first replica it is (within its zone where the ring is zone-aware). */
  readonly owned: number;
  /** Part of the keys that it holds as any of the replicas. */
  readonly held: number;
  readonly versions: Readonly<Record<string, string>>;
}

export interface ZoneStatus {
  readonly zone: string;
  readonly instances: number;
  readonly alive: number;
  readonly owned: number;
}

/** What walks all ranges (some 100 ms at 100 instances) and depends on the view alone: found once for each. */
interface Shares extends Ownership {
  readonly held: ReadonlyMap<string, number>;
  readonly quorum: Impact;
}

const sharesOfView = new WeakMap<RingView, Shares>();

function sharesOf(view: RingView): Shares {
  const known = sharesOfView.get(view);
  if (known !== undefined) return known;
  const shares = { ...ownershipOf(view), held: heldShares(view), quorum: whatIf(view) };
  sharesOfView.set(view, shares);
  return shares;
}

export function ringStatus(ring: Ring, nowMs: number): RingStatus {
  const view = ring.refresh(nowMs);
  const { owned, byZone, held, quorum } = sharesOf(view);
  const instances = view.members.map((member): InstanceStatus => {
    // The view keeps instances as they were when it was made; heartbeats are in the descriptor.
    const { tokens, ...instance } = ring.descriptor.get(member.instance.id) ?? member.instance;
    return {
      id: instance.id,
      address: instance.address,
      zone: instance.zone,
      state: shownState(member),
      isAlive: member.isAlive,
      serving: instance.serving,
      heartbeatMs: instance.heartbeatMs,
      heartbeatAgeMs: ring.silenceMs(instance.id, nowMs),
      registeredAtMs: instance.registeredAtMs,
      readOnly: instance.readOnly,
      readOnlyUpdatedAtMs: instance.readOnlyUpdatedAtMs,
      tokenCount: tokens.length,
      owned: owned.get(instance.id) ?? 0,
      held: held.get(instance.id) ?? 0,
      versions: instance.versions,
    };
  });
  const zones = [...new Set(instances.map(({ zone }) => zone))].sort().map((zone): ZoneStatus => {
    const inZone = instances.filter((instance) => instance.zone === zone);
    const alive = inZone.filter(({ isAlive }) => isAlive).length;
    return { zone, instances: inZone.length, alive, owned: byZone.get(zone) ?? 0 };
  });
  const { replicationFactor, zoneAware } = view.options;
  return { nowMs, replicationFactor, zoneAware, instances, zones, quorum };
}
