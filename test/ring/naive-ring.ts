/** The walk around the ring as one would tell it, without tables: what ring-view.ts is compared with. */
import { type Member, type RingView, takesWrites } from "../../src/ring/ring-view.ts";

export type Qualifies = (member: Member) => boolean;

export function naiveWalk(view: RingView, key: number, qualifies: Qualifies): Member[] {
  const found: Member[] = [];
  for (const member of clockwise(view, key)) {
    if (found.length === view.options.replicationFactor) break;
    if (found.includes(member) || !qualifies(member)) continue;
    const inZone = found.filter((other) => zoneOf(view, other) === zoneOf(view, member));
    if (inZone.length < perZoneMax(view)) found.push(member);
  }
  return found;
}

/** All to whom a row may be written while `replaced` takes no writes either. */
export function naiveWriteSet(view: RingView, key: number, replaced?: Member): Member[] {
  return naiveWalk(view, key, (member) => takesWrites(member) && member !== replaced);
}

/** The owner of each token, from the first token above the key once around. */
function clockwise({ members }: RingView, key: number): Member[] {
  const tokens = [...new Set(members.flatMap(({ instance }) => [...instance.tokens]))];
  tokens.sort((left, right) => left - right);
  const above = tokens.filter((token) => token > key);
  const others = tokens.filter((token) => token <= key);
  return [...above, ...others].flatMap((token) => ownerOf(members, token));
}

function ownerOf(members: readonly Member[], token: number): Member[] {
  const claimants = members.filter(({ instance }) => instance.tokens.includes(token));
  const staying = claimants.filter(({ instance }) => instance.state !== "LEAVING");
  return (staying.length > 0 ? staying : claimants).slice(0, 1);
}

function zoneOf({ options }: RingView, { instance }: Member): string {
  return options.zoneAware ? instance.zone : "";
}

function perZoneMax(view: RingView): number {
  const owners = view.members.filter(({ instance }) => instance.tokens.length > 0);
  const zones = new Set(owners.map((member) => zoneOf(view, member)));
  return Math.ceil(view.options.replicationFactor / zones.size);
}
