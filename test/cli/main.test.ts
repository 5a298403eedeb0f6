/** The program as a shell sees it: streams, status, and the launcher under a Node that is too old. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";

const root = join(import.meta.dirname, "../..");
const launcher = join(root, "bin/muninn.js");

/** Makes this Node say that it is another version: what the launcher looks at. */
const asOldNode = [
  "--import",
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"12.22.12"}})',
];

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

function start(...words: readonly string[]): ChildProcess {
  return spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
}

async function ended(child: ChildProcess): Promise<Ended> {
  assert.ok(child.stdout !== null && child.stderr !== null);
  const [out, err, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { code, signal, out, err };
}

/** A copy of the launcher beside a program of the test's own. */
function installation(context: TestContext, program: string, withNode: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), "muninn-launcher-"));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const name of ["bin", "src/cli", "node_modules/.bin"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  cpSync(launcher, join(folder, "bin/muninn.js"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(join(folder, "src/cli/main.ts"), program);
  if (withNode) symlinkSync(process.execPath, join(folder, "node_modules/.bin/node"));
  return join(folder, "bin/muninn.js");
}

test("-version and -help go to standard output, status 0", async () => {
  const version = await ended(start(launcher, "-version"));
  assert.equal(version.code, 0, version.err);
  assert.match(version.out, /^muninn, version \d+\.\d+\.\d+/);
  const help = await ended(start(launcher, "-help"));
  assert.equal(help.code, 0, help.err);
  assert.match(help.out, /-server\.http-listen-port int/);
});

test("mistakes go to standard error, status 1, nothing else", async () => {
  const { code, out, err } = await ended(start(launcher, "-no-such-flag=1", "word"));
  assert.equal(code, 1);
  assert.equal(out, "");
  assert.equal(
    err,
    'command line: -no-such-flag: unknown flag\ncommand line: unexpected argument "word" (all options are flags)\n',
  );
});

test("a word before the flags is a command; an unknown one is told the known ones", async () => {
  const help = await ended(start(launcher, "tool"));
  assert.equal(help.code, 0, help.err);
  assert.match(help.out, /^Usage: muninn tool /);
  const unknown = await ended(start(launcher, "serve", "-target=all"));
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /^unknown command "serve": commands are .*tool/);
  const silent = await ended(start(launcher, "tool", "ring", "list", "--url=http://127.0.0.1:1"));
  assert.equal(silent.code, 2);
  assert.match(silent.err, /^no member answers:\n .*ECONNREFUSED/);
});

test("-print.config reads the file; its warnings are not in the YAML", async () => {
  const file = join(root, "config/mimir-blueprint.yaml");
  const { code, out, err } = await ended(
    start(launcher, `-config.file=${file}`, "-print.config=diff"),
  );
  assert.equal(code, 0, err);
  assert.match(out, /^ {2}ingestion_rate: 100000$/m);
  assert.match(err, /-config\.expand-env/);
  assert.doesNotMatch(out, /expand-env|MIMIR_AWS/);
});

test("an old Node hands over to the one that is installed: arguments and exit code pass", async (context) => {
  const program = "process.stdout.write(process.argv.slice(2).join('|')); process.exitCode = 7;";
  const path = installation(context, program, true);
  const { code, out } = await ended(start(...asOldNode, path, "-a=b c", "--", "d"));
  assert.equal(code, 7);
  assert.equal(out, "-a=b c|--|d");
});

test("an old Node passes signals on and ends as its child ends", async (context) => {
  const program = [
    "process.on('SIGTERM', () => process.exit(5));",
    "setInterval(() => undefined, 1000);",
    "process.stdout.write('ready');",
  ].join("\n");
  const child = start(...asOldNode, installation(context, program, true));
  const end = ended(child);
  child.stdout?.once("data", () => child.kill("SIGTERM"));
  assert.equal((await end).code, 5);
});

test("a child that a signal ends makes the launcher end by it", async (context) => {
  const path = installation(context, "process.kill(process.pid, 'SIGTERM');", true);
  const { code, signal } = await ended(start(...asOldNode, path));
  assert.equal(code, null);
  assert.equal(signal, "SIGTERM");
});

test("an old Node alone says what is missing, in one line", async (context) => {
  const { code, err } = await ended(start(...asOldNode, installation(context, "", false)));
  assert.equal(code, 1);
  assert.match(
    err,
    /^muninn needs Node 24 or newer, and this is v\S+\. `npm ci` in \S+ installs one .*\n$/,
  );
});
