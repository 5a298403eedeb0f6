/** What the store promises, whatever the network does: property tests against the plain rule that the newest write wins. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Registry } from "prom-client";
import { KvStore } from "../../../src/gossip/kv/kv-store.ts";
import { newKvMetrics } from "../../../src/gossip/kv/metrics.ts";
import { KV_DEFAULTS, type KvOptions } from "../../../src/gossip/kv/options.ts";
import { decodePairs } from "../../../src/gossip/kv/pairs.ts";
import { TestClock } from "../../testkit/test-clock.ts";
import { SimCluster } from "../cluster.ts";
import { LAST_WRITE_MAP, type LastWriteMap, type Written } from "./last-write-map.ts";

const KEY = "ring";
const NAMES = ["a", "b", "c", "d"];

function newStore(clock: TestClock, options: Partial<KvOptions> = {}): KvStore {
  const kv: KvStore = new KvStore(
    { ...KV_DEFAULTS, ...options },
    {
      clock,
      metrics: newKvMetrics(new Registry(), () => kv.metricsState),
      types: [LAST_WRITE_MAP],
    },
  );
  return kv;
}

function write(kv: KvStore, name: string, written: Written): void {
  kv.update(KEY, LAST_WRITE_MAP, () => new Map([[name, written]]));
}

/** The twin: of each name, the write with the latest time, then with the greatest text. */
function newest(writes: readonly (readonly [string, Written])[]): LastWriteMap {
  const found = new Map<string, Written>();
  for (const [name, written] of writes) {
    const known = found.get(name);
    const isNewer =
      known === undefined ||
      written.atMs > known.atMs ||
      (written.atMs === known.atMs && (written.text ?? "") > (known.text ?? ""));
    if (isNewer) found.set(name, written);
  }
  return found;
}

function sorted(value: LastWriteMap): [string, Written][] {
  return [...value].toSorted(([left], [right]) => (left < right ? -1 : 1));
}

const written = fc.record(
  {
    atMs: fc.integer({ min: 1, max: 6 }),
    text: fc.option(fc.constantFrom("x", "y", "z"), { nil: undefined }),
  },
  { noNullPrototype: true },
);
const writes = fc.array(fc.tuple(fc.constantFrom(...NAMES), written), { maxLength: 12 });

test("what is passed on is just what was new", () => {
  const ageless = { tombstoneAgeMs: Number.MAX_SAFE_INTEGER };
  fc.assert(
    fc.property(writes, writes, (known, incoming) => {
      const clock = new TestClock();
      const [kv, sender] = [newStore(clock, ageless), newStore(clock, ageless)];
      for (const [name, value] of known) write(kv, name, value);
      while (kv.broadcasts(0, 100_000, 10).length > 0);
      for (const [name, value] of incoming) write(sender, name, value);
      kv.mergeRemoteState(sender.localState());
      const passedOn = kv
        .broadcasts(0, 100_000, 10)
        .flatMap((message) => [...decodePairs(message)])
        .flatMap(({ value }) => [...LAST_WRITE_MAP.decode(value)]);
      const before = newest(known);
      const news = sorted(newest([...known, ...incoming])).filter(
        ([name, value]) => !isSame(before.get(name), value),
      );
      assert.deepEqual(sorted(new Map(passedOn)), news);
    }),
  );
});

function isSame(left: Written | undefined, right: Written): boolean {
  return left?.atMs === right.atMs && left.text === right.text;
}

test("within the age of tombstones, no old message in any order brings back what was removed; after it, no old tombstone is news", async () => {
  const ageMs = 60_000;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(), { minLength: 5, maxLength: 30 }),
      fc.nat({ max: ageMs }),
      async (order, waitMs) => {
        const clock = new TestClock();
        const [kv, other] = [
          newStore(clock, { tombstoneAgeMs: ageMs }),
          newStore(clock, { tombstoneAgeMs: ageMs }),
        ];
        const said: Uint8Array[] = [];
        const say = (name: string, text: string | undefined): void => {
          write(other, name, { atMs: clock.nowMs(), text });
          said.push(...other.broadcasts(0, 100_000, 10), other.localState());
        };
        say("a", "x");
        await clock.advance(1000);
        say("a", "y");
        await clock.advance(1000);
        say("a", undefined);
        const tombstone = said.at(-1) ?? new Uint8Array();
        kv.receive(tombstone);
        await clock.advance(waitMs);
        for (const number of order) kv.receive(said[number % said.length] ?? new Uint8Array());
        assert.equal(kv.get(KEY, LAST_WRITE_MAP).get("a")?.text, undefined);
        await clock.advance(ageMs + 1);
        kv.localState();
        assert.deepEqual(kv.keys(), []);
        while (kv.broadcasts(0, 100_000, 10).length > 0);
        kv.receive(tombstone);
        assert.deepEqual(kv.keys(), []);
        assert.deepEqual(kv.broadcasts(0, 100_000, 10), []);
      },
    ),
    { numRuns: 40 },
  );
});

interface Life {
  readonly seed: number;
  readonly lossRate: number;
  /** Who is on which side, and how long. */
  readonly partitions: readonly { readonly sides: readonly boolean[]; readonly seconds: number }[];
  readonly writes: readonly (readonly [node: number, name: string, text: string | undefined])[];
}

const NODES = 5;
const life: fc.Arbitrary<Life> = fc.record({
  seed: fc.nat({ max: 1_000_000 }),
  lossRate: fc.constantFrom(0, 0.1, 0.3),
  partitions: fc.array(
    fc.record({
      sides: fc.array(fc.boolean(), { minLength: NODES, maxLength: NODES }),
      // Up to long enough for each side to take the other for dead.
      seconds: fc.integer({ min: 1, max: 40 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  writes: fc.array(
    fc.tuple(
      fc.nat({ max: NODES - 1 }),
      fc.constantFrom(...NAMES),
      fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
    ),
    { minLength: 1, maxLength: 15 },
  ),
});

test("after loss and partitions all nodes hold the newest of all writes", async () => {
  await fc.assert(fc.asyncProperty(life, live), { numRuns: 8 });
});

async function live({ seed, lossRate, partitions, writes: planned }: Life): Promise<void> {
  const stores: KvStore[] = [];
  const cluster = new SimCluster({
    seed,
    network: { lossRate, duplicateRate: 0.05, delayMsMin: 0.5, delayMsMax: 40 },
    userOf: (index, { clock }) => (stores[index] = newStore(clock)),
  });
  await cluster.grow(NODES);
  const made: [string, Written][] = [];
  const left = [...planned];
  const writeSome = async (count: number): Promise<void> => {
    for (const [node, name, text] of left.splice(0, count)) {
      // Two nodes may write at the same time.
      const value = { atMs: cluster.clock.nowMs(), text };
      made.push([name, value]);
      write(stores[node] as KvStore, name, value);
      await cluster.clock.advance(node * 50);
    }
  };
  for (const { sides, seconds } of partitions) {
    const side = (wanted: boolean): string[] =>
      cluster.nodes.filter((_, index) => sides[index] === wanted).map(({ host }) => host);
    cluster.network.partition(side(true), side(false));
    await writeSome(Math.ceil(planned.length / partitions.length));
    await cluster.clock.advance(1000 * seconds);
    cluster.network.heal();
    await cluster.clock.advance(500);
  }
  await writeSome(left.length);
  // As the program does from time to time: a side that took the other for dead does not look for it.
  const hosts = cluster.nodes.map(({ host }) => host);
  for (const { gossip } of cluster.nodes) await cluster.during(gossip.join(hosts));
  const expected = sorted(newest(made));
  const agree = (): boolean =>
    stores.every(
      (kv) => JSON.stringify(sorted(kv.get(KEY, LAST_WRITE_MAP))) === JSON.stringify(expected),
    );
  const tookMs = await cluster.until(agree, 180_000);
  assert.ok(tookMs !== undefined, "they agree on the newest");
  await cluster.stopAll();
}
