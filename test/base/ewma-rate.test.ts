import assert from "node:assert/strict";
import { test } from "node:test";
import { EwmaRate } from "../../src/base/ewma-rate.ts";

test("the moving average follows the rate", () => {
  const rate = new EwmaRate();
  assert.equal(rate.perSecond, 0);
  rate.add(100);
  rate.tick(1000);
  assert.equal(rate.perSecond, 100);
  rate.tick(1000);
  assert.equal(rate.perSecond, 80);
  for (let i = 0; i < 100; i++) {
    rate.add(50);
    rate.tick(1000);
  }
  assert.ok(Math.abs(rate.perSecond - 50) < 1e-6);
});
