/** A cluster of stand-ins: real processes, real signals. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { freePorts } from "../../../src/cli/dev-cluster/free-ports.ts";
import { nodesOf, planCluster } from "../../../src/cli/dev-cluster/plan.ts";
import { runCluster } from "../../../src/cli/dev-cluster/run-cluster.ts";
import { ChildProcesses } from "../../../src/sys/child-processes.ts";
import { UndiciClient } from "../../../src/sys/http-client.ts";
import { NodeNetwork } from "../../../src/sys/node-network.ts";
import { SystemClock } from "../../../src/sys/system-clock.ts";

interface Settings {
  readonly restart?: boolean;
  readonly extraFlags?: readonly string[];
}

async function start(context: TestContext, { restart = false, extraFlags = [] }: Settings = {}) {
  const shape = {
    ...{ distributors: 1, queriers: 1, ingesters: 1, all: 0, zones: 0 },
    ...{ replicationFactor: undefined, dataDir: "/nowhere", extraFlags },
  };
  // Other tests look for ports at the same time.
  const offset = 10_000 + (process.pid % 4000) * 10;
  const ports = await freePorts(nodesOf(shape).length, new NodeNetwork(), offset);
  const plans = planCluster(shape, ports);
  const said = new Lines();
  const stop = Promise.withResolvers<void>();
  context.after(() => stop.resolve());
  const launcher = {
    program: process.execPath,
    arguments: [join(import.meta.dirname, "stub-node.ts")],
  };
  const code = runCluster(
    { plans, restart, stopAsked: stop.promise, out: said.add },
    {
      clock: new SystemClock(),
      http: new UndiciClient(),
      processes: new ChildProcesses(),
      launcher,
      say: said.add,
    },
  );
  return { plans, said, stop, code };
}

/** Lines that can be waited for. */
class Lines {
  readonly all: string[] = [];
  readonly #waiting = new Set<() => void>();

  readonly add = (line: string): void => {
    this.all.push(line);
    for (const look of this.#waiting) look();
  };

  async until(pattern: RegExp, count = 1): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.all.filter((line) => pattern.test(line)).length < count) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

async function crash(port: number | undefined): Promise<void> {
  await fetch(`http://127.0.0.1:${port}/crash`).then(
    (answer) => answer.text(),
    () => undefined,
  );
}

test("the table comes when all are ready; the stop is clean, those that hold samples last", async (context) => {
  const { plans, said, stop, code } = await start(context);
  await said.until(/^Ctrl-C stops all/);
  const table = said.all.join("\n");
  const [distributor, querier] = plans;
  assert.match(
    table,
    new RegExp(`^push +http://127\\.0\\.0\\.1:${distributor?.httpPort}/api/v1/push`, "m"),
  );
  assert.match(
    table,
    new RegExp(`^query +http://127\\.0\\.0\\.1:${querier?.httpPort}/prometheus`, "m"),
  );
  for (const { name, httpPort } of plans) {
    assert.match(table, new RegExp(`^${name} +http://127\\.0\\.0\\.1:${httpPort} .*\\d$`, "m"));
  }
  stop.resolve();
  assert.equal(await code, 0, said.all.join("\n"));
  const byes = said.all.filter((line) => line.endsWith("| bye"));
  assert.equal(byes.length, 3);
  assert.equal(byes[2], "ingester-1 | bye");
});

test("a node that dies is told, the others go on, and the end is not clean", async (context) => {
  const { plans, said, stop, code } = await start(context);
  await said.until(/^Ctrl-C stops all/);
  await crash(plans[2]?.httpPort);
  await said.until(/^ingester-1 \(pid \d+\) ended with code 3$/);
  const answer = await fetch(`http://127.0.0.1:${plans[0]?.httpPort}/ready`);
  assert.equal(await answer.text(), "ready");
  stop.resolve();
  assert.equal(await code, 1);
});

test("with --restart it is started again", async (context) => {
  const { plans, said, stop, code } = await start(context, { restart: true });
  await said.until(/^Ctrl-C stops all/);
  await crash(plans[2]?.httpPort);
  await said.until(/^ingester-1 \(pid \d+\) ended with code 3; it is started again$/);
  for (let isUp = false; !isUp; ) {
    isUp = await fetch(`http://127.0.0.1:${plans[2]?.httpPort}/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
  }
  stop.resolve();
  assert.equal(await code, 0, said.all.join("\n"));
});

test("a node that cannot start ends the cluster", async (context) => {
  const { said, code } = await start(context, { extraFlags: ["-stub.broken"] });
  assert.equal(await code, 1);
  const [, first] = / ?(\S+) ended before/.exec(said.all.join("\n")) ?? [];
  assert.ok(said.all.includes(`${first} | cannot start`), "its last words come before its end");
});
