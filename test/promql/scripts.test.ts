/** Runs PromQL scripts in this process: our own, one per topic, and Prometheus' where they are at hand. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { parseScript } from "./script.ts";
import { runScript } from "./script-runner.ts";

const OWN = new URL("./scripts/", import.meta.url).pathname;
const UPSTREAM = process.env.PROMQL_SCRIPTS ?? "/work/shared/promqltest";

/** Lines of Prometheus' scripts that need native histograms, by file. What is listed must fail: the list only shrinks. */
const EXPECTED_FAILURES = JSON.parse(
  readFileSync(new URL("./upstream-expected-failures.json", import.meta.url), "utf8"),
) as Record<string, number[]>;

for (const file of readdirSync(OWN).filter((name) => name.endsWith(".test"))) {
  test(`script ${file}`, () => {
    const commands = parseScript(readFileSync(path.join(OWN, file), "utf8"));
    const problems: string[] = [];
    let evals = 0;
    runScript(commands, { delayedNameRemoval: file.includes("delayed") }, (command, problem) => {
      evals++;
      if (problem !== undefined)
        problems.push(`${file}:${command.line} ${command.expr}\n    ${problem}`);
    });
    assert.ok(evals > 0, "a script evaluates something");
    assert.equal(problems.join("\n"), "");
  });
}

test("Prometheus' scripts", async (t) => {
  if (!existsSync(UPSTREAM)) {
    t.skip(`${UPSTREAM} is absent: Prometheus' own scripts are not run`);
    return;
  }
  for (const file of readdirSync(UPSTREAM).filter((name) => name.endsWith(".test"))) {
    await t.test(file, () => {
      const commands = parseScript(readFileSync(path.join(UPSTREAM, file), "utf8"));
      const expected = new Set(EXPECTED_FAILURES[file.replace(/\.test$/, "")] ?? []);
      const problems: string[] = [];
      runScript(commands, { delayedNameRemoval: true }, (command, problem) => {
        const where = `${file}:${command.line} ${command.expr}`;
        if (expected.has(command.line)) {
          if (problem === undefined) problems.push(`${where}\n    passes: take it off the list`);
        } else if (problem !== undefined) {
          problems.push(`${where}\n    ${problem}`);
        }
      });
      assert.equal(problems.join("\n"), "");
    });
  }
});
