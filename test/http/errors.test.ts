import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { BugError } from "../../src/base/assert.ts";
import { OpError } from "../../src/base/errors.ts";
import { answerFor } from "../../src/http/errors.ts";
import { errorsPage } from "../../tools/docs/errors-page.ts";

test("docs/errors.md is what the table says (else: node tools/generate-docs.ts)", async () => {
  const page = await readFile(join(import.meta.dirname, "../../docs/errors.md"), "utf8");
  assert.equal(page, errorsPage());
});

test("a known code has its status, type and level", () => {
  const answer = answerFor(new OpError("max-series-per-query", "too many"));
  assert.deepEqual(answer, {
    status: 422,
    level: "warn",
    errorType: "execution",
    message: "too many",
    retryAfterSeconds: undefined,
  });
});

test("an error may choose another status, and the level follows it", () => {
  const answer = answerFor(
    new OpError("push-instance-limit", "full", { httpStatus: 529, retryAfterSeconds: 3 }),
  );
  assert.equal(answer.status, 529);
  assert.equal(answer.level, "debug");
  assert.equal(answer.retryAfterSeconds, 3);
});

test("an operational error without a row is ours, and still says its text", () => {
  const answer = answerFor(new OpError("never-listed", "the moon is full"));
  assert.equal(answer.status, 500);
  assert.equal(answer.level, "error");
  assert.equal(answer.message, "the moon is full");
});

test("the text of anything else stays inside", () => {
  for (const error of [new BugError("secret"), new TypeError("secret"), "secret", undefined]) {
    const answer = answerFor(error);
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.message, /secret/);
  }
  const pretender = Object.assign(new Error("secret"), { statusCode: 400, code: "EOTHER" });
  assert.equal(answerFor(pretender).status, 500);
  const framework = Object.assign(new Error("bad url"), { statusCode: 400, code: "FST_ERR_X" });
  assert.deepEqual([answerFor(framework).status, answerFor(framework).message], [400, "bad url"]);
});
