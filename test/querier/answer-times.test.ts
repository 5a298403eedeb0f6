import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswerTimes } from "../../src/querier/answer-times.ts";
import { TestClock } from "../testkit/test-clock.ts";

test("an average that follows what was measured", () => {
  const times = new AnswerTimes(new TestClock());
  assert.equal(times.expectedMs("a"), 0);
  times.answered("a", 100);
  assert.equal(times.expectedMs("a"), 100);
  times.answered("a", 200);
  assert.equal(times.expectedMs("a"), 120);
  for (let i = 0; i < 100; i++) times.answered("a", 10);
  assert.ok(Math.abs(times.expectedMs("a") - 10) < 0.001);
  assert.equal(times.expectedMs("b"), 0);
});

test("who was given up is at least that slow, and is forgiven by half each minute", async () => {
  const clock = new TestClock();
  const times = new AnswerTimes(clock);
  times.answered("a", 10);
  times.tookAtLeast("a", 800);
  times.tookAtLeast("a", 5);
  assert.equal(times.expectedMs("a"), 800);
  await clock.advance(120_000);
  assert.equal(times.expectedMs("a"), 200);
});
