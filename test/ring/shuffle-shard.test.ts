import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { must } from "../../src/base/assert.ts";
import type { Instance } from "../../src/ring/instance.ts";
import type { Member, RingView } from "../../src/ring/ring-view.ts";
import { shuffleShard } from "../../src/ring/shuffle-shard.ts";
import { alive, ids, instance, NOW_MS, viewOf } from "./fixture.ts";

const HOUR_MS = 3_600_000;
const ZONES = ["a", "b", "c"];

/** Shards do not depend on where tokens are, only on whether there are any. */
function plain(id: string, changes: Partial<Instance> = {}): Instance {
  return instance(id, { tokens: Uint32Array.of(Number(id.replace(/\D/g, ""))), ...changes });
}

interface Layout {
  readonly count: number;
  readonly zoneAware: boolean;
}

/** Instances i-0, i-1, … that go round the zones. */
function layout({ count, zoneAware }: Layout): RingView {
  const instances = Array.from({ length: count }, (_, index) =>
    plain(`i-${index}`, { zone: ZONES[index % 3] ?? "" }),
  );
  return viewOf(alive(...instances), { zoneAware });
}

const anyLayout = fc.record({ count: fc.integer({ min: 3, max: 24 }), zoneAware: fc.boolean() });
const anyTenant = fc.string({ maxLength: 8 });
const anySize = fc.integer({ min: 1, max: 30 });

function shardOf(view: RingView, tenant: string, size: number): string[] {
  return ids(shuffleShard(view, { tenant, size }).members).toSorted();
}

function without(left: readonly string[], right: readonly string[]): string[] {
  return left.filter((id) => !right.includes(id));
}

test("a shard has the size that was asked for, the same number in each zone", () => {
  fc.assert(
    fc.property(anyLayout, anyTenant, anySize, (shape, tenant, size) => {
      const view = layout(shape);
      const shard = shuffleShard(view, { tenant, size }).members;
      assert.equal(new Set(ids(shard)).size, shard.length);
      const wanted = Math.max(size, 3);
      if (!shape.zoneAware) {
        assert.equal(shard.length, Math.min(wanted, shape.count));
        return;
      }
      for (const zone of ZONES) {
        const inZone = (members: readonly Member[]): number =>
          members.filter((member) => member.instance.zone === zone).length;
        assert.equal(inZone(shard), Math.min(Math.ceil(wanted / 3), inZone(view.members)));
      }
    }),
  );
});

test("it depends on nothing but ids and tenant: not on health, state or what was there before", () => {
  fc.assert(
    fc.property(
      anyLayout,
      anyTenant,
      anySize,
      fc.infiniteStream(fc.boolean()),
      (shape, tenant, size, chance) => {
        const view = layout(shape);
        const changed = view.members.toReversed().map(({ instance: one }) => ({
          isAlive: chance.next().value as boolean,
          instance: {
            ...one,
            state: chance.next().value === true ? "LEAVING" : "ACTIVE",
          } as Instance,
        }));
        const other = viewOf(changed, { zoneAware: shape.zoneAware });
        assert.deepEqual(shardOf(other, tenant, size), shardOf(view, tenant, size));
      },
    ),
  );
});

test("these tenants are on these instances: it is so in every version", () => {
  const view = layout({ count: 12, zoneAware: false });
  const shards = ["anonymous", "team-a", "team-b", ""].map((tenant) => shardOf(view, tenant, 3));
  assert.deepEqual(shards, [
    ["i-3", "i-4", "i-7"],
    ["i-0", "i-10", "i-8"],
    ["i-11", "i-2", "i-9"],
    ["i-1", "i-5", "i-7"],
  ]);
});

test("a larger shard contains the smaller", () => {
  fc.assert(
    fc.property(anyLayout, anyTenant, anySize, anySize, (shape, tenant, one, other) => {
      const view = layout(shape);
      const small = shardOf(view, tenant, Math.min(one, other));
      assert.deepEqual(without(small, shardOf(view, tenant, Math.max(one, other))), []);
    }),
  );
});

test("who comes takes the place of one at most, and who goes is replaced by one", () => {
  fc.assert(
    fc.property(anyLayout, anyTenant, anySize, fc.nat(100), (shape, tenant, size, which) => {
      const all = layout(shape);
      const gone = must(all.members[which % all.members.length], "the ring is not empty");
      const rest = viewOf(
        all.members.filter((member) => member !== gone),
        { zoneAware: shape.zoneAware },
      );
      fc.pre(rest.zones.length === all.zones.length);
      const before = shardOf(all, tenant, size);
      const after = shardOf(rest, tenant, size);
      assert.deepEqual(
        without(before, after),
        before.includes(gone.instance.id) ? [gone.instance.id] : [],
      );
      const came = without(after, before).map((id) =>
        all.members.find((one) => one.instance.id === id),
      );
      assert.ok(came.length <= 1);
      if (shape.zoneAware)
        assert.ok(came.every((one) => one?.instance.zone === gone.instance.zone));
    }),
  );
});

test("tenants are spread evenly, and two hardly ever share a whole shard", () => {
  const view = layout({ count: 12, zoneAware: false });
  const shards = Array.from({ length: 3000 }, (_, tenant) => shardOf(view, `tenant-${tenant}`, 4));
  const counts = ids(view.members).map((id) => shards.filter((shard) => shard.includes(id)).length);
  // 1000 each, give or take what chance does (four standard deviations).
  assert.ok(
    counts.every((count) => Math.abs(count - 1000) < 105),
    counts.join(),
  );
  // Of the 495 possible shards each is somebody's.
  assert.ok(new Set(shards.map(String)).size > 485);
});

test("a read-only instance gets no new rows, and is read until the look-back is over", () => {
  const instances = Array.from({ length: 3 }, (_, index) => plain(`i-${index}`));
  const readOnly = plain("i-9", { readOnly: true, readOnlyUpdatedAtMs: NOW_MS });
  const view = viewOf(alive(...instances, readOnly));
  const idsAt = (nowMs: number): string[] =>
    ids(
      shuffleShard(view, { tenant: "t", size: 4, lookBack: { nowMs, lookBackMs: HOUR_MS } })
        .members,
    ).toSorted();
  assert.deepEqual(shardOf(view, "t", 4), ["i-0", "i-1", "i-2"]);
  assert.deepEqual(idsAt(NOW_MS + HOUR_MS), ["i-0", "i-1", "i-2", "i-9"]);
  assert.deepEqual(idsAt(NOW_MS + HOUR_MS + 1), ["i-0", "i-1", "i-2"]);
});

test("without a size the look-back leaves out only who has been read-only or empty for all of it", () => {
  const view = viewOf(
    alive(
      plain("i-0"),
      plain("i-1", { readOnly: true, readOnlyUpdatedAtMs: NOW_MS - 1000 }),
      plain("i-2", { readOnly: true, readOnlyUpdatedAtMs: NOW_MS - 2 * HOUR_MS }),
      plain("i-3", { hasData: false }),
    ),
  );
  const lookBack = { nowMs: NOW_MS, lookBackMs: HOUR_MS };
  assert.deepEqual(ids(shuffleShard(view, { tenant: "t", size: 0, lookBack }).members), [
    "i-0",
    "i-1",
  ]);
});

/** What happens to a cluster: instances by number, times in minutes after the one before. */
interface Happening {
  readonly afterMs: number;
  readonly who: number;
  readonly what: "joins" | "becomes ACTIVE" | "goes" | "read-only" | "read-write";
}

const anyHappening: fc.Arbitrary<Happening> = fc.record({
  afterMs: fc.nat(30),
  who: fc.nat(8),
  what: fc.constantFrom("joins", "becomes ACTIVE", "goes", "read-only", "read-write"),
});

/** A ring through time, as lifecycles make it. */
class LivingRing {
  readonly #instances = new Map<string, Instance>();
  /** Who comes back has its log on disk, and says so at once. */
  readonly #withData = new Set<string>();
  readonly #zoneAware: boolean;
  readonly #zoneCount: number;

  constructor(zoneAware: boolean, zoneCount: number, founders: readonly number[]) {
    this.#zoneAware = zoneAware;
    this.#zoneCount = zoneCount;
    for (const who of founders) {
      this.happen({ afterMs: 0, who, what: "joins" }, 1);
      this.happen({ afterMs: 0, who, what: "becomes ACTIVE" }, 1);
    }
  }

  get view(): RingView {
    return viewOf(alive(...this.#instances.values()), { zoneAware: this.#zoneAware });
  }

  happen({ who, what }: Happening, nowMs: number): void {
    const id = `i-${who}`;
    const before = this.#instances.get(id);
    if (before === undefined) {
      if (what !== "joins") return;
      const zone = ZONES[who % this.#zoneCount] ?? "";
      this.#instances.set(
        id,
        plain(id, {
          zone,
          state: "JOINING",
          hasData: this.#withData.has(id),
          registeredAtMs: nowMs,
        }),
      );
    } else if (what === "goes") {
      this.#instances.delete(id);
    } else if (what === "becomes ACTIVE" && !before.hasData) {
      this.#withData.add(id);
      this.#instances.set(id, { ...before, state: "ACTIVE", hasData: true, registeredAtMs: nowMs });
    } else if (what.startsWith("read-") && before.readOnly !== (what === "read-only")) {
      this.#instances.set(id, {
        ...before,
        readOnly: what === "read-only",
        readOnlyUpdatedAtMs: nowMs,
      });
    }
  }
}

test("who was in the shard at any time within the look-back is read, as long as it is in the ring", () => {
  let replaced = 0;
  fc.assert(
    fc.property(
      fc.record({
        zoneAware: fc.boolean(),
        zoneCount: fc.integer({ min: 1, max: 3 }),
        founders: fc.subarray([0, 1, 2, 3, 4, 5], { minLength: 3 }),
        happenings: fc.array(anyHappening, { maxLength: 15 }),
        size: fc.integer({ min: 1, max: 6 }),
        lookBackMs: fc.integer({ min: 1, max: 120 }),
        laterMs: fc.nat(60),
        tenant: anyTenant,
      }),
      ({ zoneAware, zoneCount, founders, happenings, size, lookBackMs, laterMs, tenant }) => {
        const ring = new LivingRing(zoneAware, zoneCount, founders);
        let nowMs = 1000;
        const written = [{ fromMs: nowMs, shard: shardOf(ring.view, tenant, size) }];
        for (const happening of happenings) {
          nowMs += happening.afterMs;
          ring.happen(happening, nowMs);
          written.push({ fromMs: nowMs, shard: shardOf(ring.view, tenant, size) });
        }
        nowMs += laterMs;
        const { view } = ring;
        const request = { tenant, size, lookBack: { nowMs, lookBackMs } };
        const { members, validUntilMs } = shuffleShard(view, request);
        const read = new Set(ids(members));
        for (const [index, { shard }] of written.entries()) {
          const untilMs = written[index + 1]?.fromMs ?? nowMs;
          if (untilMs < nowMs - lookBackMs) continue;
          const present = ids(view.members);
          for (const id of shard.filter((one) => present.includes(one)))
            assert.ok(read.has(id), id);
        }
        const current = written.at(-1)?.shard ?? [];
        if (read.size > current.length) replaced++;
        // The answer may be kept for as long as it says, and no longer than it must.
        const later = (atMs: number): string[] =>
          ids(shuffleShard(view, { ...request, lookBack: { nowMs: atMs, lookBackMs } }).members);
        const last = Math.min(validUntilMs, nowMs + 10_000);
        assert.deepEqual(later(last), ids(members));
      },
    ),
    { numRuns: 2000 },
  );
  assert.ok(replaced > 50, `the look-back mattered ${replaced} times`);
});

test("when nothing has happened for the look-back, reads ask whom writes go to", () => {
  fc.assert(
    fc.property(anyLayout, anyTenant, anySize, (shape, tenant, size) => {
      const view = layout(shape);
      const lookBack = { nowMs: NOW_MS, lookBackMs: 1000 };
      const { members } = shuffleShard(view, { tenant, size, lookBack });
      assert.deepEqual(ids(members).toSorted(), shardOf(view, tenant, size));
    }),
  );
});
