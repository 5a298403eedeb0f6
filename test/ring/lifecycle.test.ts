import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  EMPTY_RING,
  merge,
  type RingDescriptor,
  ringOf,
  tombstone,
} from "../../src/ring/descriptor.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { Lifecycle, type LifecycleOptions } from "../../src/ring/lifecycle.ts";
import { ownershipOf } from "../../src/ring/ownership.ts";
import { alive, NOW_MS, viewOf } from "./fixture.ts";

const PERIOD_MS = 5_000;
const OBSERVE_MS = 3_000;

function newLifecycle(id: string, changes: Partial<LifecycleOptions> = {}): Lifecycle {
  return new Lifecycle({
    id,
    zone: "",
    versions: { muninn: "1" },
    heartbeatPeriodMs: PERIOD_MS,
    observePeriodMs: OBSERVE_MS,
    observationsMax: 5,
    tokens: { tokenCount: 64, zoneAware: false, heartbeatTimeoutMs: 60_000 },
    ...changes,
  });
}

const ADDRESS = { address: "10.0.0.1:9095" };

/** From nothing to ACTIVE in a ring where nobody else changes anything. */
function activate(id: string, ring: RingDescriptor, nowMs: number): Lifecycle {
  const lifecycle = newLifecycle(id);
  let seen = merge(ring, ringOf([lifecycle.enter(ring, nowMs, ADDRESS)])).result;
  lifecycle.ready();
  for (let at = nowMs; !lifecycle.isActive; at = Math.max(at + 1, lifecycle.nextDueMs)) {
    assert.ok(at < nowMs + 60_000, "it becomes ACTIVE within a minute");
    const news = lifecycle.step(seen, at);
    if (news !== undefined) seen = merge(seen, ringOf([news])).result;
  }
  return lifecycle;
}

function own(lifecycle: Lifecycle): Instance {
  assert.ok(lifecycle.instance !== undefined);
  return lifecycle.instance;
}

test("a new instance goes from PENDING over JOINING to ACTIVE, and only then has data", () => {
  const lifecycle = newLifecycle("a");
  const states: string[] = [];
  let ring = EMPTY_RING;
  const publish = (instance: Instance | undefined): void => {
    if (instance === undefined) return;
    states.push(instance.state);
    if (instance.state !== "ACTIVE") assert.ok(!instance.hasData && !instance.serving);
    ring = merge(ring, ringOf([instance])).result;
  };
  publish(lifecycle.enter(ring, NOW_MS, ADDRESS));
  publish(lifecycle.step(ring, NOW_MS));
  assert.equal(own(lifecycle).tokens.length, 64, "others see the tokens that it plans");
  publish(lifecycle.step(ring, NOW_MS + OBSERVE_MS + 1));
  assert.equal(own(lifecycle).state, "JOINING", "not before what it belongs to runs");
  lifecycle.ready();
  publish(lifecycle.step(ring, NOW_MS + OBSERVE_MS + 2));
  assert.deepEqual([...new Set(states)], ["PENDING", "JOINING", "ACTIVE"]);
  assert.ok(own(lifecycle).serving && own(lifecycle).hasData);
});

test("heartbeats come each period, and each is newer than the one before, whatever the clock does", () => {
  const lifecycle = activate("a", EMPTY_RING, NOW_MS);
  const ring = ringOf([own(lifecycle)]);
  const first = own(lifecycle).heartbeatMs;
  assert.equal(lifecycle.step(ring, first + PERIOD_MS - 1), undefined);
  const second = lifecycle.step(ring, first + PERIOD_MS);
  assert.equal(second?.heartbeatMs, first + PERIOD_MS);
  const leaving = lifecycle.leave(first - 1_000_000);
  assert.ok(leaving.heartbeatMs > first + PERIOD_MS);
});

for (const state of ["ACTIVE", "LEAVING", "JOINING"] as const) {
  test(`a restarted instance that the ring has as ${state} takes its place again, without observing`, () => {
    const before = own(activate("a", EMPTY_RING, NOW_MS));
    const ring = ringOf([{ ...before, state, serving: state !== "LEAVING", readOnly: true }]);
    const lifecycle = newLifecycle("a");
    const entered = lifecycle.enter(ring, NOW_MS + 100_000, { address: "10.0.0.2:9095" });
    assert.equal(entered.state, "JOINING");
    assert.equal(entered.serving, false);
    assert.equal(entered.hasData, true);
    assert.equal(entered.readOnly, true);
    assert.equal(entered.address, "10.0.0.2:9095");
    assert.equal(entered.registeredAtMs, before.registeredAtMs);
    assert.equal(entered.tokens, before.tokens);
    const seen = merge(ring, ringOf([entered])).result;
    assert.equal(seen.get("a")?.address, "10.0.0.2:9095", "what it says is newer");
    lifecycle.ready();
    assert.equal(lifecycle.step(seen, NOW_MS + 100_000)?.state, "ACTIVE");
  });
}

test("an instance that the ring has forgotten comes back with the tokens of its file", () => {
  const before = own(activate("a", EMPTY_RING, NOW_MS));
  const ring = ringOf([tombstone(before, NOW_MS + 50_000)]);
  const lifecycle = newLifecycle("a");
  const entered = lifecycle.enter(ring, NOW_MS + 10_000, {
    ...ADDRESS,
    kept: { tokens: before.tokens, registeredAtMs: before.registeredAtMs },
  });
  assert.deepEqual(entered.tokens, before.tokens);
  assert.equal(entered.hasData, true, "what it held may still be needed");
  assert.equal(entered.registeredAtMs, before.registeredAtMs, "it is the same life");
  assert.notEqual(merge(ring, ringOf([entered])).result.get("a")?.state, "LEFT");
});

test("a live instance that was forgotten registers again with its next step", () => {
  const lifecycle = activate("a", EMPTY_RING, NOW_MS);
  const before = own(lifecycle);
  const ring = ringOf([tombstone(before, NOW_MS + 100_000)]);
  const news = lifecycle.step(ring, NOW_MS + 20_000);
  assert.equal(news?.state, "ACTIVE");
  const seen = merge(ring, ringOf([news])).result.get("a");
  assert.equal(seen?.state, "ACTIVE");
  assert.deepEqual(seen?.tokens, before.tokens);
});

test("leaving: LEAVING while it serves, then not serving; or the tombstone", () => {
  const lifecycle = activate("a", EMPTY_RING, NOW_MS);
  const leaving = lifecycle.leave(NOW_MS + 20_000);
  assert.deepEqual([leaving.state, leaving.serving], ["LEAVING", true]);
  const heartbeat = lifecycle.step(ringOf([leaving]), leaving.heartbeatMs + PERIOD_MS);
  assert.equal(heartbeat?.state, "LEAVING", "it does not come back by itself");
  const last = lifecycle.lastWords(NOW_MS + 30_000, { unregister: false });
  assert.deepEqual([last.state, last.serving, last.hasData], ["LEAVING", false, true]);
  const gone = lifecycle.lastWords(NOW_MS + 30_000, { unregister: true });
  assert.deepEqual([gone.state, gone.hasData, gone.serving], ["LEFT", false, false]);
  assert.equal(gone.lostDataAtMs, gone.heartbeatMs, "its samples go with it");
});

test("read-only is told with its time, and twice the same is nothing new", () => {
  const lifecycle = activate("a", EMPTY_RING, NOW_MS);
  const changed = lifecycle.setReadOnly(true, NOW_MS + 20_000);
  assert.deepEqual([changed.readOnly, changed.readOnlyUpdatedAtMs], [true, NOW_MS + 20_000]);
  assert.equal(lifecycle.setReadOnly(true, NOW_MS + 30_000), changed);
});

test("tokens lost to another are replaced, the others stay", () => {
  const lifecycle = activate("b", EMPTY_RING, NOW_MS);
  const before = own(lifecycle);
  const other = { ...own(activate("a", EMPTY_RING, NOW_MS)), tokens: before.tokens.slice(0, 3) };
  const ring = ringOf([other, before]);
  const news = lifecycle.step(ring, NOW_MS + 20_000);
  assert.ok(news !== undefined);
  assert.equal(news.tokens.length, 64);
  assert.ok(!news.tokens.some((token) => other.tokens.includes(token)));
  assert.equal(before.tokens.slice(3).filter((token) => news.tokens.includes(token)).length, 61);
});

interface Joiner {
  readonly id: string;
  readonly atMs: number;
  readonly delayMs: number;
}

/** Instances join at their times; each hears of what the others publish after a delay of its own. */
function joinAll(joiners: readonly Joiner[]): Instance[] {
  const messages: { atMs: number; to: number; instance: Instance }[] = [];
  const rings = joiners.map(() => EMPTY_RING);
  const lives = joiners.map(({ id }) => newLifecycle(id));
  const publish = (from: number, nowMs: number, instance: Instance | undefined): void => {
    if (instance === undefined) return;
    rings[from] = merge(rings[from] as RingDescriptor, ringOf([instance])).result;
    for (const [to, { delayMs }] of joiners.entries()) {
      if (to !== from) messages.push({ atMs: nowMs + delayMs, to, instance });
    }
  };
  for (let nowMs = NOW_MS; nowMs < NOW_MS + 60_000; nowMs += 100) {
    for (const message of messages.filter(({ atMs }) => atMs <= nowMs)) {
      const ring = rings[message.to] as RingDescriptor;
      rings[message.to] = merge(ring, ringOf([message.instance])).result;
    }
    messages.splice(0, messages.length, ...messages.filter(({ atMs }) => atMs > nowMs));
    for (const [index, { atMs }] of joiners.entries()) {
      const life = lives[index] as Lifecycle;
      const ring = rings[index] as RingDescriptor;
      if (nowMs < NOW_MS + atMs) continue;
      if (life.instance === undefined) {
        publish(index, nowMs, life.enter(ring, nowMs, ADDRESS));
        life.ready();
      } else publish(index, nowMs, life.step(ring, nowMs));
    }
  }
  return lives.map(own);
}

test("however instances join and news travel: all become ACTIVE, no token is claimed twice", () => {
  const joiner = fc.record({
    atMs: fc.constantFrom(0, 100, 1_000, 2_900, 5_000),
    delayMs: fc.constantFrom(100, 500, 2_000, 4_000),
  });
  fc.assert(
    fc.property(fc.array(joiner, { minLength: 1, maxLength: 6 }), (joiners) => {
      const instances = joinAll(joiners.map((one, index) => ({ ...one, id: `i-${index}` })));
      assert.ok(instances.every(({ state }) => state === "ACTIVE"));
      const tokens = instances.flatMap((instance) => [...instance.tokens]);
      assert.equal(new Set(tokens).size, tokens.length);
      assert.ok(instances.every((instance) => instance.tokens.length === 64));
    }),
    { numRuns: 40 },
  );
});

test("instances that start together and hear of each other in time own equal shares", () => {
  const joiners = [0, 1, 2, 3, 4].map((index) => ({
    id: `i-${index}`,
    atMs: 100 * index,
    delayMs: 300,
  }));
  const view = viewOf(alive(...joinAll(joiners)));
  const shares = [...ownershipOf(view).owned.values()];
  assert.ok(Math.max(...shares) / Math.min(...shares) <= 1.1, String(shares));
});
