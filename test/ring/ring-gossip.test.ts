import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Registry } from "prom-client";
import { KvStore } from "../../src/gossip/kv/kv-store.ts";
import { newKvMetrics } from "../../src/gossip/kv/metrics.ts";
import { KV_DEFAULTS } from "../../src/gossip/kv/options.ts";
import { encodeRing } from "../../src/ring/codec.ts";
import { ringOf, tombstone } from "../../src/ring/descriptor.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { RING_VALUE } from "../../src/ring/ring-value.ts";
import { TestClock } from "../testkit/test-clock.ts";
import { anyInstance, grow, NOW_MS } from "./fixture.ts";

const KEY = "collectors/ring";
const PACKET_BYTES = 1400;

function newStore(clock = new TestClock()): KvStore {
  const kv: KvStore = new KvStore(KV_DEFAULTS, {
    clock,
    metrics: newKvMetrics(new Registry(), () => kv.metricsState),
    types: [RING_VALUE],
  });
  return kv;
}

function say(kv: KvStore, ...instances: readonly Instance[]): void {
  kv.update(KEY, RING_VALUE, () => ringOf(instances));
}

/** All that waits, as packets and as streams. */
function gossip(from: KvStore, to: KvStore): number {
  const messages = [...from.broadcasts(3, PACKET_BYTES, 1)];
  const large = from.largeBroadcast(PACKET_BYTES, 1);
  if (large !== undefined) messages.push(large);
  for (const message of messages) to.receive(message);
  return messages.length;
}

function same(left: KvStore, right: KvStore): void {
  assert.deepEqual(encodeRing(left.get(KEY, RING_VALUE)), encodeRing(right.get(KEY, RING_VALUE)));
}

test("of many heartbeats that wait only the last is told, and the tokens all the same", () => {
  const [a, b] = [newStore(), newStore()];
  const [first] = grow({ count: 1 }) as [Instance];
  say(a, first);
  for (let i = 1; i <= 20; i++) say(a, { ...first, heartbeatMs: NOW_MS + 5000 * i });
  assert.equal(a.metricsState.queue.length, 2);
  assert.equal(gossip(a, b), 2);
  same(a, b);
  assert.equal(b.get(KEY, RING_VALUE).get(first.id)?.tokens.length, 512);
});

test("the tombstone takes the place of what was to be told of the head; tokens are told still", () => {
  const a = newStore();
  const [first] = grow({ count: 1 }) as [Instance];
  say(a, first);
  say(a, { ...first, heartbeatMs: NOW_MS + 1 });
  say(a, tombstone(first, NOW_MS + 2));
  assert.equal(a.metricsState.queue.length, 2);
});

test("members that hear of instances from two sides, some twice, hold the same ring", () => {
  fc.assert(
    fc.property(fc.array(anyInstance, { maxLength: 8 }), fc.nat(8), (said, cut) => {
      // Times of the test clock, so that no tombstone is old.
      const [a, b, c] = [newStore(), newStore(), newStore()];
      const later = said.map((one) => ({ ...one, heartbeatMs: one.heartbeatMs + NOW_MS }));
      for (const one of later.slice(0, cut)) say(a, one);
      for (const one of later.slice(cut)) say(b, one);
      for (let round = 0; round < 20; round++) {
        gossip(a, c);
        gossip(b, c);
        gossip(c, a);
      }
      b.mergeRemoteState(c.localState());
      a.mergeRemoteState(b.localState());
      c.mergeRemoteState(a.localState());
      same(a, b);
      same(b, c);
      assert.deepEqual(encodeRing(a.get(KEY, RING_VALUE)), encodeRing(ringOf(later)));
    }),
  );
});
