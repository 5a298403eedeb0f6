/** The ring cut into pieces that can be drawn: shares of instances, and who owns which part of the circle. */
import type { InstanceStatus, RingStatus } from "../../ring/status.ts";
import { TOKEN_SPACE, type TokenOwner, TokenTable } from "../../ring/token-table.ts";

/** One circle: all instances, or those of a zone where replicas go to distinct zones (each zone owns every key then). */
export interface Circle {
  /** Undefined: zones do not matter. */
  readonly zone: string | undefined;
  readonly instances: readonly NumberedInstance[];
}

export interface NumberedInstance {
  /** From 1, in the order of ids as people count: what the drawing can show where an id has no room. */
  readonly number: number;
  readonly instance: InstanceStatus;
}

/** More concentric circles than this cannot be told apart. */
const CIRCLES_MAX = 5;

const collator = new Intl.Collator("en", { numeric: true });

export function numbered(status: RingStatus): NumberedInstance[] {
  return [...status.instances]
    .sort((left, right) => collator.compare(left.id, right.id))
    .map((instance, index) => ({ number: index + 1, instance }));
}

export function circlesOf(status: RingStatus): Circle[] {
  const instances = numbered(status);
  const zones = [...new Set(instances.map(({ instance }) => instance.zone))].sort();
  if (!status.zoneAware || zones.length < 2 || zones.length > CIRCLES_MAX) {
    return [{ zone: undefined, instances }];
  }
  return zones.map((zone) => ({
    zone,
    instances: instances.filter(({ instance }) => instance.zone === zone),
  }));
}

const NOBODY = -1;

interface Binned {
  readonly tokens: readonly Uint32Array[];
  readonly bins: Int32Array;
}

/** By the tokens of the first owner. Tokens hardly ever change, and to sort those of 100 instances takes some 50 ms. */
const lastBinned = new WeakMap<Uint32Array, Binned>();

/** As `binOwners`, found once for the same tokens (which are shared and never written to). */
export function cachedBinOwners(owners: readonly TokenOwner[], binCount: number): Int32Array {
  const [first] = owners;
  if (first === undefined) return binOwners(owners, binCount);
  const last = lastBinned.get(first.tokens);
  const isSame =
    last?.bins.length === binCount &&
    last.tokens.length === owners.length &&
    owners.every(({ tokens }, index) => tokens === last.tokens[index]);
  if (isSame) return last.bins;
  const bins = binOwners(owners, binCount);
  lastBinned.set(first.tokens, { tokens: owners.map(({ tokens }) => tokens), bins });
  return bins;
}

/**
 * The circle in `binCount` equal parts, and for each who owns most of it (a position in `owners`): token ranges, merged
 * where there are more than can be drawn.
 */
export function binOwners(owners: readonly TokenOwner[], binCount: number): Int32Array {
  const bins = new Int32Array(binCount).fill(NOBODY);
  const table = new TokenTable(owners);
  const count = table.tokens.length;
  if (count === 0) return bins;
  const keysOf = new Float64Array(owners.length);
  let bin = 0;
  let at = 0;
  // The first range goes on after the last token.
  for (let range = 0; range <= count; range++) {
    const owner = table.owners[range % count] ?? 0;
    const end = range < count ? (table.tokens[range] ?? 0) : TOKEN_SPACE;
    while (at < end) {
      const binEnd = ((bin + 1) * TOKEN_SPACE) / binCount;
      const to = Math.min(end, binEnd);
      keysOf[owner] = (keysOf[owner] ?? 0) + to - at;
      at = to;
      if (to < binEnd) continue;
      bins[bin++] = indexOfGreatest(keysOf);
      keysOf.fill(0);
    }
  }
  return bins;
}

function indexOfGreatest(values: Float64Array): number {
  let greatest = 0;
  for (let index = 1; index < values.length; index++) {
    if ((values[index] ?? 0) > (values[greatest] ?? 0)) greatest = index;
  }
  return greatest;
}

/** Lengths of an SVG dash pattern over the circle: on, off, on, off, … where the owner has the bins. */
export function dashesOf(bins: Int32Array, owner: number): number[] {
  const dashes: number[] = [];
  let isOn = true;
  let length = 0;
  for (const bin of bins) {
    if ((bin === owner) !== isOn) {
      dashes.push(length);
      isOn = !isOn;
      length = 0;
    }
    length++;
  }
  dashes.push(length);
  // A pattern of an odd number of lengths would be repeated with on and off exchanged.
  if (dashes.length % 2 === 1) dashes.push(0);
  return dashes;
}
