/** Which part of the keys each instance has. */
import type { RingView } from "./ring-view.ts";
import { TOKEN_SPACE, TokenTable } from "./token-table.ts";

export interface Ownership {
  /** Part of the keys (0 to 1) whose first replica it is; where the ring is zone-aware: within its zone. By id. */
  readonly owned: ReadonlyMap<string, number>;
  /** The same summed up by zone: 1 for each zone of a zone-aware ring. */
  readonly byZone: ReadonlyMap<string, number>;
}

export function ownershipOf(view: RingView): Ownership {
  const owned = new Map<string, number>();
  const byZone = new Map<string, number>();
  const zones = view.options.zoneAware ? view.zones : [undefined];
  for (const zone of zones) {
    const instances = view.members
      .map(({ instance }) => instance)
      .filter((instance) => zone === undefined || instance.zone === zone);
    const table = zone === undefined ? view.table : new TokenTable(instances);
    const keys = table.ownedKeys(instances.length);
    for (const [index, instance] of instances.entries()) {
      const part = (keys[index] ?? 0) / TOKEN_SPACE;
      owned.set(instance.id, part);
      byZone.set(instance.zone, (byZone.get(instance.zone) ?? 0) + part);
    }
  }
  return { owned, byZone };
}

/** Part of the keys that each instance holds as any of the replicas, by its tokens alone. By id. */
export function heldShares(view: RingView): ReadonlyMap<string, number> {
  const held = new Map(view.members.map(({ instance }) => [instance.id, 0]));
  for (let range = 0; range < view.table.tokens.length; range++) {
    const part = view.table.rangeSize(range) / TOKEN_SPACE;
    for (const { instance } of view.ownersOfRange(range)) {
      held.set(instance.id, (held.get(instance.id) ?? 0) + part);
    }
  }
  return held;
}
