import assert from "node:assert/strict";
import { test } from "node:test";
import { PushFrameTarget } from "./push-frame-target.ts";

test("a short run of the fuzzer of push frames from a fixed seed", () => {
  const target = new PushFrameTarget(42);
  const verdicts = Array.from({ length: 1_500 }, (_, index) => target.run(index));
  assert.ok(verdicts.filter((verdict) => verdict === "accepted").length > 300);
  assert.ok(verdicts.filter((verdict) => verdict === "refused").length > 300);
});
