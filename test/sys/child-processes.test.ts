import assert from "node:assert/strict";
import { test } from "node:test";
import { ChildProcesses } from "../../src/sys/child-processes.ts";

function node(program: string) {
  return { program: process.execPath, arguments: ["-e", program] };
}

test("lines of both streams come before the end, also the last one without an end of line", async () => {
  const lines: string[] = [];
  const program = "console.log('a\\nb'); process.stderr.write('c'); process.exitCode = 7;";
  const child = await new ChildProcesses().start(node(program), (line) => lines.push(line));
  assert.deepEqual(await child.ended, { code: 7, text: "code 7" });
  assert.deepEqual(lines.sort(), ["a", "b", "c"]);
});

test("a signal ends it, and is what it ended with", async () => {
  const started = Promise.withResolvers<void>();
  const program = "setInterval(() => undefined, 1000); console.log('up');";
  const child = await new ChildProcesses().start(node(program), () => started.resolve());
  await started.promise;
  child.signal("SIGKILL");
  assert.deepEqual(await child.ended, { code: undefined, text: "signal SIGKILL" });
});

test("a program that is not there is an error that says so", async () => {
  const command = { program: "/no/such/program", arguments: [] };
  await assert.rejects(
    new ChildProcesses().start(command, () => undefined),
    /ENOENT/,
  );
});
