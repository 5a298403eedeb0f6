import assert from "node:assert/strict";
import { test } from "node:test";
import { ringOf } from "../../src/ring/descriptor.ts";
import { HeartbeatWatch } from "../../src/ring/heartbeat-watch.ts";
import { instance, NOW_MS } from "./fixture.ts";

/** Heartbeats of "a" every 5 s from a clock that is `skewMs` ahead of ours, seen 200 ms later; then it dies. */
class Watching {
  readonly watch = new HeartbeatWatch();
  nowMs = NOW_MS;
  #heartbeatMs = 0;

  beat(skewMs: number): void {
    this.nowMs += 5000;
    // As an instance does whose clock goes back (lifecycle.ts).
    this.#heartbeatMs = Math.max(this.#heartbeatMs + 1, this.nowMs + skewMs - 200);
    this.hear(this.#heartbeatMs);
  }

  hear(heartbeatMs: number): void {
    this.watch.observe(ringOf([instance("a", { heartbeatMs })]), this.nowMs);
  }

  silenceAfter(passedMs: number): number {
    this.nowMs += passedMs;
    return this.watch.silenceMs("a", this.nowMs);
  }
}

for (const skewMs of [0, -300_000, 3_600_000]) {
  test(`a clock ${skewMs} ms ahead: alive while it beats, dead when it stops`, () => {
    const watching = new Watching();
    for (let i = 0; i < 10; i++) {
      watching.beat(skewMs);
      // Of the first heartbeat of a slow clock nothing else can be known.
      if (i > 0 || skewMs >= 0) assert.ok(watching.silenceAfter(0) < 10_000, `beat ${i}`);
    }
    assert.ok(watching.silenceAfter(60_000) >= 60_000);
  });
}

test("a clock that jumps, either way, does not make its instance look dead", () => {
  const watching = new Watching();
  for (const skewMs of [0, 0, 0, 0, 3_600_000, 3_600_000, 0, 0, 0, 0, -7_200_000, -7_200_000]) {
    watching.beat(skewMs);
    assert.ok(watching.silenceAfter(0) <= 15_000);
  }
});

test("a heartbeat that a partition held up does not make a dead instance look alive", () => {
  const watching = new Watching();
  for (let i = 0; i < 5; i++) watching.beat(0);
  const lastMs = watching.nowMs;
  watching.silenceAfter(600_000);
  watching.hear(lastMs + 20_000);
  assert.ok(watching.silenceAfter(0) >= 570_000);
});

test("an instance that was dead long before we started is dead", () => {
  const watching = new Watching();
  watching.hear(NOW_MS - 86_400_000);
  assert.equal(watching.silenceAfter(0), 86_400_000);
  assert.equal(watching.watch.silenceMs("nobody", NOW_MS), Number.POSITIVE_INFINITY);
});

test("the same heartbeat heard again is no sign of life", () => {
  const watching = new Watching();
  watching.hear(NOW_MS);
  watching.silenceAfter(90_000);
  watching.hear(NOW_MS);
  watching.hear(NOW_MS - 5);
  assert.equal(watching.silenceAfter(0), 90_000);
});

test("who left the ring is not watched any more", () => {
  const watching = new Watching();
  watching.hear(NOW_MS);
  watching.watch.observe(ringOf([]), NOW_MS);
  assert.equal(watching.silenceAfter(0), Number.POSITIVE_INFINITY);
});
