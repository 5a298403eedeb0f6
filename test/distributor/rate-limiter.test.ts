import assert from "node:assert/strict";
import { test } from "node:test";
import { RateLimiter } from "../../src/distributor/rate-limiter.ts";

test("a bucket starts full, refills at its rate, and never holds more than its burst", () => {
  const limiter = new RateLimiter(0);
  const rate = { ratePerSecond: 10, burst: 20 };
  assert.ok(limiter.tryTake(20, rate, 0));
  assert.ok(!limiter.tryTake(1, rate, 0));
  assert.ok(limiter.tryTake(5, rate, 500));
  assert.ok(!limiter.tryTake(1, rate, 500));
  assert.ok(!limiter.tryTake(21, rate, 1_000_000));
  assert.ok(limiter.tryTake(20, rate, 1_000_000));
});

test("what does not fit takes nothing", () => {
  const limiter = new RateLimiter(0);
  const rate = { ratePerSecond: 1, burst: 10 };
  assert.ok(!limiter.tryTake(11, rate, 0));
  assert.ok(limiter.tryTake(10, rate, 0));
  assert.ok(limiter.tryTake(0, rate, 0));
});

test("new limits apply at once, and a clock that steps back does no harm", () => {
  const limiter = new RateLimiter(1000);
  assert.ok(limiter.tryTake(50, { ratePerSecond: 1, burst: 100 }, 1000));
  assert.ok(!limiter.tryTake(11, { ratePerSecond: 1, burst: 10 }, 1000));
  assert.ok(limiter.tryTake(10, { ratePerSecond: 1, burst: 10 }, 500));
  assert.ok(!limiter.tryTake(1, { ratePerSecond: 1, burst: 10 }, 500));
});
