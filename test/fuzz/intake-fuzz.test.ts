import assert from "node:assert/strict";
import { test } from "node:test";
import { IntakeTarget } from "./intake-target.ts";

test("a short run of the fuzzer from a fixed seed", () => {
  const target = new IntakeTarget(42);
  const verdicts = Array.from({ length: 1_500 }, (_, index) => target.run(index));
  assert.ok(verdicts.filter((verdict) => verdict === "accepted").length > 300);
  assert.ok(verdicts.filter((verdict) => verdict === "refused").length > 300);
});
