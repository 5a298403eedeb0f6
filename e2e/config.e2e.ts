/** Configuration as a user meets it: flags, the file, mistakes in both, and the blueprint's own mimir.yaml. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type TemporaryFolder, temporaryFolder } from "./harness/folder.ts";
import { Muninn } from "./harness/muninn.ts";
import { delay } from "./harness/poll.ts";
import { type Exit, Program } from "./harness/program.ts";

const ROOT = join(import.meta.dirname, "..");

/** Runs it to its end. */
async function run(...flags: readonly string[]): Promise<Exit & { output: string }> {
  const program = new Program({
    name: "muninn",
    command: process.execPath,
    arguments: [join(ROOT, "bin/muninn.js"), ...flags],
  });
  const exit = await program.exited;
  return { ...exit, output: program.output };
}

async function withFile(folder: TemporaryFolder, text: string): Promise<string> {
  const path = join(folder.path, "muninn.yaml");
  await writeFile(path, text);
  return path;
}

test("-version and -help", async () => {
  const version = await run("-version");
  assert.equal(version.code, 0);
  const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
    version: string;
  };
  assert.match(version.output, new RegExp(`\\b${manifest.version}\\b`));
  const help = await run("-help");
  assert.equal(help.code, 0);
  assert.match(help.output, /-config\.file/);
  assert.match(help.output, /-server\.http-listen-port/);
});

test("-print.config shows flag over file over default", async () => {
  await using folder = await temporaryFolder("config");
  const file = await withFile(
    folder,
    "limits:\n  ingestion_rate: 11\n  ingestion_burst_size: 22\n",
  );
  const { code, output } = await run(
    `-config.file=${file}`,
    "-distributor.ingestion-burst-size=33",
    "-print.config",
  );
  assert.equal(code, 0, output);
  assert.match(output, /ingestion_rate: 11\b/);
  assert.match(output, /ingestion_burst_size: 33\b/);
  assert.match(output, /max_global_series_per_user: 150000\b/);
});

test("an unknown key: file, line, key and the nearest right one", async () => {
  await using folder = await temporaryFolder("config");
  const file = await withFile(folder, "server:\n  http_listen_prot: 8080\n");
  const { code, output } = await run(`-config.file=${file}`);
  assert.equal(code, 1);
  assert.match(output, /muninn\.yaml/);
  assert.match(output, /\b2\b/, "the line");
  assert.match(output, /http_listen_prot\b/);
  assert.match(output, /http_listen_port\b/);
});

test("a wrong type: file, line, key and what is wanted", async () => {
  await using folder = await temporaryFolder("config");
  const file = await withFile(folder, "# comment\nlimits:\n  ingestion_rate: fast\n");
  const { code, output } = await run(`-config.file=${file}`);
  assert.equal(code, 1);
  assert.match(output, /muninn\.yaml:3|line 3/);
  assert.match(output, /ingestion_rate/);
  assert.match(output, /fast/);
});

test("an unknown flag names the nearest one", async () => {
  const { code, output } = await run("-server.http-listen-prot=1");
  assert.equal(code, 1);
  assert.match(output, /-server\.http-listen-port\b/);
});

test("a missing file is said in one line, without a stack", async () => {
  const { code, output } = await run("-config.file=/nowhere/muninn.yaml");
  assert.equal(code, 1);
  assert.match(output, /\/nowhere\/muninn\.yaml/);
  assert.doesNotMatch(output, /^\s+at /m);
});

test("an occupied port is said in one line, exit 1", async () => {
  await using folder = await temporaryFolder("config");
  await using first = await Muninn.start({ dataDirectory: join(folder.path, "a") });
  const { code, output } = await run(
    `-data-dir=${join(folder.path, "b")}`,
    "-server.http-listen-address=127.0.0.1",
    `-server.http-listen-port=${first.port}`,
  );
  assert.equal(code, 1);
  assert.match(output, new RegExp(`${first.port}`));
  assert.match(output, /in use|EADDRINUSE/);
});

test("a data directory in use is refused, and the process that has it goes on", async () => {
  await using folder = await temporaryFolder("config");
  await using first = await Muninn.start({ dataDirectory: folder.path });
  await using second = await Muninn.launch({ dataDirectory: folder.path });
  const exit = await Promise.race([second.program.exited, delay(20_000, undefined)]);
  assert.equal(exit?.code, 1, `not ended with 1:\n${second.program.output}`);
  assert.match(second.program.output, /in use|lock|another/i);
  assert.equal((await first.request("/ready")).status, 200);
});

test("the blueprint's mimir.yaml loads verbatim, starts, and says that S3 cannot be reached", async () => {
  await using folder = await temporaryFolder("blueprint");
  const file = join(ROOT, "config/mimir-blueprint.yaml");
  await using muninn = await Muninn.start({
    dataDirectory: folder.path,
    flags: [`-config.file=${file}`, "-config.expand-env=true"],
    environment: { MIMIR_AWS_ACCESS_KEY: "access", MIMIR_AWS_SECRET_KEY: "s3cr3t-value" },
  });
  assert.match(muninn.program.output, /s3/i);
  const { status, body } = await muninn.request("/config");
  assert.equal(status, 200);
  assert.match(body, /bucket_name: enterprise-mimir-longterm-storage/);
  assert.match(body, /ingestion_rate: 100000\b/);
  assert.match(body, /ingestion_burst_size: 200000\b/);
  assert.doesNotMatch(body, /s3cr3t-value/, "secrets are masked");
  assert.doesNotMatch(muninn.program.output, /s3cr3t-value/);
  const answer = await muninn.push("blueprint", [
    { labels: { __name__: "up" }, samples: [{ timestampMs: Date.now(), value: 1 }] },
  ]);
  assert.equal(answer.status, 200, answer.body);
});
