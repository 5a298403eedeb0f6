import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../src/base/random.ts";
import { retryAfterSeconds } from "../../src/distributor/retry-after.ts";

test("doubles with each attempt, with half of it as jitter, within 6 and 96 seconds", () => {
  const random = new SeededRandom(3);
  const check = (attempt: string | undefined, least: number, most: number): void => {
    const seen = new Set<number>();
    for (let i = 0; i < 500; i++) {
      const seconds = retryAfterSeconds(attempt, random);
      assert.ok(Number.isInteger(seconds) && seconds >= least && seconds <= most, `${seconds}`);
      seen.add(seconds);
    }
    assert.ok(seen.size > 1 || least === most);
  };
  check(undefined, 6, 9);
  check("1", 6, 9);
  check("2", 6, 18);
  check("3", 12, 36);
  check("5", 48, 96);
  check("999999999", 48, 96);
  for (const nonsense of ["0", "-1", "x", "1e9", ""]) check(nonsense, 6, 9);
});
