import fc from "fast-check";
import type { Instance, InstanceState } from "../../src/ring/instance.ts";
import { INSTANCE_STATES, NO_TOKENS } from "../../src/ring/instance.ts";
import { placeTokens } from "../../src/ring/placement.ts";
import type { Member, RingViewOptions } from "../../src/ring/ring-view.ts";
import { RingView } from "../../src/ring/ring-view.ts";

export const NOW_MS = 1_700_000_000_000;

/** An ACTIVE instance that serves, unless said otherwise. */
export function instance(id: string, changes: Partial<Instance> = {}): Instance {
  return {
    id,
    address: `${id}.example:9095`,
    zone: "",
    state: "ACTIVE",
    heartbeatMs: NOW_MS,
    registeredAtMs: NOW_MS - 1_000_000,
    readOnly: false,
    readOnlyUpdatedAtMs: 0,
    serving: true,
    hasData: true,
    lostDataAtMs: 0,
    firstDataAtMs: 0,
    versions: {},
    tokensUpdatedAtMs: NOW_MS - 1_000_000,
    tokens: NO_TOKENS,
    ...changes,
  };
}

export function alive(...instances: readonly Instance[]): Member[] {
  return instances.map((one) => ({ instance: one, isAlive: true }));
}

export function viewOf(
  members: readonly Member[],
  options: Partial<RingViewOptions> = {},
): RingView {
  return new RingView(members, { replicationFactor: 3, zoneAware: false, ...options });
}

export interface GrownRing {
  readonly count: number;
  /** Instances go round them; none: no zones. */
  readonly zones?: readonly string[];
  readonly tokenCount?: number;
}

/** Instances "i-000", "i-001", … that joined one after the other. */
export function grow({ count, zones = [""], tokenCount = 512 }: GrownRing): Instance[] {
  const instances: Instance[] = [];
  const taken = new Set<number>();
  for (let i = 0; i < count; i++) {
    const id = `i-${String(i).padStart(3, "0")}`;
    const zone = zones[i % zones.length] ?? "";
    const neighbours = instances.filter((other) => other.zone === zone);
    const tokens = placeTokens({ neighbours, taken, id, count: tokenCount });
    for (const token of tokens) taken.add(token);
    instances.push(instance(id, { zone, tokens }));
  }
  return instances;
}

export function keys(view: RingView): number[] {
  // One in each range, and the borders.
  return [...view.table.tokens].flatMap((token) => [token, (token - 1) >>> 0]);
}

export function ids(members: readonly Member[]): string[] {
  return members.map((member) => member.instance.id);
}

const anyTokens = fc
  .uniqueArray(fc.nat(2 ** 32 - 1), { maxLength: 6 })
  .map((tokens) => Uint32Array.from(tokens).sort());

const anyText = fc.string({ unit: "grapheme", maxLength: 5 });

/** Few ids and few times, so that instances meet and tie. */
export const anyInstance: fc.Arbitrary<Instance> = fc
  .record(
    {
      id: fc.constantFrom("a", "b", "c"),
      address: fc.constantFrom("h:1", "h:2"),
      zone: fc.constantFrom("", "z"),
      state: fc.constantFrom<InstanceState>(...INSTANCE_STATES),
      heartbeatMs: fc.nat(3),
      registeredAtMs: fc.nat(2),
      readOnly: fc.boolean(),
      readOnlyUpdatedAtMs: fc.nat(1),
      serving: fc.boolean(),
      hasData: fc.boolean(),
      lostDataAtMs: fc.nat(2),
      firstDataAtMs: fc.nat(2),
      versions: fc.dictionary(anyText, anyText, { maxKeys: 2, noNullPrototype: true }),
      tokensUpdatedAtMs: fc.nat(3),
      tokens: anyTokens,
    },
    { noNullPrototype: true },
  )
  .map((one) => (one.tokensUpdatedAtMs === 0 ? { ...one, tokens: NO_TOKENS } : one));

const anyToken = fc.oneof(
  fc.nat(30),
  fc.nat(2 ** 32 - 1),
  fc.integer({ min: 2 ** 32 - 5, max: 2 ** 32 - 1 }),
);

function anyMember(id: string): fc.Arbitrary<Member> {
  return fc
    .record({
      zone: fc.constantFrom("a", "b", "c"),
      state: fc.oneof(
        { arbitrary: fc.constant<InstanceState>("ACTIVE"), weight: 5 },
        { arbitrary: fc.constantFrom<InstanceState>(...INSTANCE_STATES), weight: 2 },
      ),
      tokens: fc.uniqueArray(anyToken, { maxLength: 8 }),
      hadData: fc.boolean(),
      serving: fc.oneof(fc.constant(true), fc.boolean()),
      readOnly: fc.integer({ min: 0, max: 5 }).map((chance) => chance === 0),
      isAlive: fc.integer({ min: 0, max: 4 }).map((chance) => chance > 0),
    })
    .map(({ tokens, hadData, isAlive, ...head }) => ({
      isAlive,
      instance: instance(id, {
        ...head,
        hasData: hadData || head.state === "ACTIVE" || head.state === "LEAVING",
        tokens: Uint32Array.from(tokens).sort(),
      }),
    }));
}

/** Rings that nobody planned: up to six instances in any state and health, in up to three zones, with tokens that collide. */
export const anyMembers: fc.Arbitrary<Member[]> = fc
  .nat(6)
  .chain((count) =>
    fc.tuple(...Array.from({ length: count }, (_, index) => anyMember(`i-${index}`))),
  );

export const anyViewOptions: fc.Arbitrary<RingViewOptions> = fc.record({
  replicationFactor: fc.integer({ min: 1, max: 4 }),
  zoneAware: fc.boolean(),
});

export const anyView: fc.Arbitrary<RingView> = fc
  .tuple(anyMembers, anyViewOptions)
  .map(([members, options]) => new RingView(members, options));
