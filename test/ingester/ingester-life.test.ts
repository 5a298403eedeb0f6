import assert from "node:assert/strict";
import { test } from "node:test";
import { IngesterLife, type IngesterLifeOptions } from "../../src/ingester/ingester-life.ts";
import { registerIngesterLifeRoutes } from "../../src/ingester/life-routes.ts";
import { newHttpFixture } from "../http/http-fixture.ts";
import { RingNode } from "../ring/member-fixture.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { TestClock } from "../testkit/test-clock.ts";

const PREPARED_FILE = "/shutdown-requested";

/** What a life does to the ingester, in order. */
class Steps {
  readonly taken: string[] = [];
  state: "starting" | "running" | "stopped" = "running";
  maintenance: () => Promise<void> = async () => undefined;

  get status(): { readonly state: string } {
    return { state: this.state };
  }

  async maintain(): Promise<void> {
    this.taken.push("maintain");
    await this.maintenance();
  }

  async stop(): Promise<void> {
    this.taken.push("stop");
    this.state = "stopped";
  }
}

interface LifeFixture {
  readonly clock: TestClock;
  readonly node: RingNode;
  readonly steps: Steps;
  readonly life: IngesterLife;
}

function newLife(
  options: Partial<IngesterLifeOptions> = {},
  { disk = new MemoryFileSystem(), clock = new TestClock() } = {},
): LifeFixture {
  const node = new RingNode("a", { clock, disk });
  const steps = new Steps();
  const life = new IngesterLife(
    {
      unregisterOnShutdown: false,
      preparedFile: PREPARED_FILE,
      minReadyDurationMs: 0,
      ...options,
    },
    {
      ingester: steps as unknown as ConstructorParameters<typeof IngesterLife>[1]["ingester"],
      member: node.member,
      files: disk,
      clock,
      logger: node.logger,
    },
  );
  return { clock, node, steps, life };
}

/** ACTIVE in the ring. */
async function running(...given: Parameters<typeof newLife>): Promise<LifeFixture> {
  const fixture = newLife(...given);
  await fixture.life.enter("10.0.0.1:9095");
  const ready = fixture.life.ready();
  await fixture.clock.advance(10_000);
  await ready;
  assert.equal(fixture.node.self.state, "ACTIVE");
  return fixture;
}

interface Asked {
  readonly status: number;
  readonly body: string;
}

/** The routes on a real server, for a few questions. */
async function withRoutes(
  { life }: LifeFixture,
  run: (ask: (method: string, path: string, body?: string) => Promise<Asked>) => Promise<void>,
): Promise<void> {
  const { server } = newHttpFixture();
  server.routes((app) => registerIngesterLifeRoutes(app, life));
  const { port } = await server.listen();
  try {
    await run(async (method, path, body) => {
      const answer = await fetch(`http://127.0.0.1:${port}/ingester/${path}`, {
        method,
        ...(body === undefined ? {} : { body }),
      });
      return { status: answer.status, body: await answer.text() };
    });
  } finally {
    await server.shutdown();
  }
}

test("ready comes after ACTIVE, and after the least time between the two", async () => {
  const { clock, life, node } = newLife({ minReadyDurationMs: 15_000 });
  await life.enter("10.0.0.1:9095");
  let isReady = false;
  void life.ready().then(() => {
    isReady = true;
  });
  while (node.own?.state !== "ACTIVE") await clock.advance(100);
  await clock.advance(14_800);
  assert.equal(isReady, false);
  await clock.advance(300);
  assert.equal(isReady, true);
});

test("a stop leaves the instance in the ring; prepared or so configured it unregisters", async () => {
  const plain = await running();
  await plain.life.leave();
  assert.equal(plain.node.self.state, "LEAVING");

  const configured = await running({ unregisterOnShutdown: true });
  await configured.life.leave();
  assert.equal(configured.node.self.state, "LEFT");

  const prepared = await running();
  await prepared.life.prepareShutdown();
  await prepared.life.leave();
  assert.equal(prepared.node.self.state, "LEFT");
  await assert.rejects(prepared.node.disk.stat(PREPARED_FILE), "what was prepared is done");
});

test("a prepared shutdown outlives a restart, and is said at the start", async () => {
  const first = await running();
  await first.life.prepareShutdown();
  const disk = first.node.disk;
  const second = await running({}, { disk, clock: first.clock });
  assert.equal(second.life.isPrepared, true);
  assert.ok(second.node.logger.lines.some(({ level }) => level === "warn"));
  await second.life.undoPrepareShutdown();
  assert.equal(second.life.willUnregister, false);
  await assert.rejects(disk.stat(PREPARED_FILE));
  await second.life.undoPrepareShutdown();
});

test("shutdown: flush, out of the ring, stop; then it is not ready, and takes no more orders", async () => {
  const fixture = await running();
  const { life, node, steps } = fixture;
  await withRoutes(fixture, async (ask) => {
    assert.deepEqual(await ask("POST", "shutdown"), { status: 204, body: "" });
    assert.deepEqual(steps.taken, ["maintain", "stop"]);
    assert.equal(node.self.state, "LEFT");
    assert.match(life.unready ?? "", /POST \/ingester\/shutdown/);
    assert.equal((await ask("POST", "shutdown")).status, 503);
    assert.equal((await ask("POST", "flush")).status, 503);
    assert.equal((await ask("POST", "mode?mode=READONLY")).status, 503);
  });
  await life.leave();
  assert.equal(node.self.state, "LEFT", "the end of the process changes nothing");
});

test("two shutdowns at once are one", async () => {
  const { life, steps } = await running();
  const both = await Promise.allSettled([life.shutdown(), life.shutdown()]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.equal(steps.taken.filter((step) => step === "stop").length, 1);
});

test("a shutdown whose flush fails leaves the ingester as it was", async () => {
  const { life, node, steps } = await running();
  steps.maintenance = async () => {
    throw new Error("disk full");
  };
  await assert.rejects(life.shutdown(), /disk full/);
  assert.equal(node.self.state, "ACTIVE");
  assert.equal(life.unready, undefined);
  assert.deepEqual(steps.taken, ["maintain"]);
});

test("prepare-shutdown is set, shown, and undone", async () => {
  const fixture = await running();
  await withRoutes(fixture, async (ask) => {
    assert.deepEqual(await ask("GET", "prepare-shutdown"), { status: 200, body: "unset\n" });
    assert.equal((await ask("POST", "prepare-shutdown")).status, 204);
    assert.deepEqual(await ask("GET", "prepare-shutdown"), { status: 200, body: "set\n" });
    assert.ok(await fixture.node.disk.stat(PREPARED_FILE));
    assert.equal((await ask("DELETE", "prepare-shutdown")).status, 204);
    assert.deepEqual(await ask("GET", "prepare-shutdown"), { status: 200, body: "unset\n" });
    assert.equal((await ask("PUT", "prepare-shutdown")).status, 405);
  });
});

test("read-only by both paths, with the time since when", async () => {
  const fixture = await running();
  const { clock, node } = fixture;
  const downscale = "prepare-instance-ring-downscale";
  const seconds = Math.trunc(clock.nowMs() / 1000);
  await withRoutes(fixture, async (ask) => {
    assert.equal((await ask("GET", downscale)).body, '{"timestamp":0}');
    assert.equal((await ask("POST", downscale)).body, `{"timestamp":${seconds}}`);
    assert.equal(node.self.readOnly, true);
    await clock.advance(5_000);
    assert.equal((await ask("POST", downscale)).body, `{"timestamp":${seconds}}`, "since then");
    assert.equal((await ask("GET", "mode")).body, '{"mode":"READONLY"}');
    assert.equal((await ask("DELETE", downscale)).body, '{"timestamp":0}');
    assert.equal(node.self.readOnly, false);
    assert.equal((await ask("POST", "mode?mode=readonly")).body, '{"mode":"READONLY"}');
    assert.equal((await ask("POST", "mode", "mode=ACTIVE")).body, '{"mode":"ACTIVE"}');
    for (const wrong of ["mode?mode=", "mode?mode=LEAVING", "mode?mode=ACTIVE&mode=READONLY"]) {
      const { status, body } = await ask("POST", wrong);
      assert.equal(status, 400, wrong);
      assert.match(body, /mode is READONLY or ACTIVE, not/);
    }
  });
});

test("unregister-on-shutdown is switched, and goes back to what is configured", async () => {
  const fixture = await running({ unregisterOnShutdown: true });
  await withRoutes(fixture, async (ask) => {
    const path = "unregister-on-shutdown";
    assert.equal((await ask("GET", path)).body, '{"unregister":true}');
    assert.equal((await ask("PUT", path, '{"unregister":false}')).body, '{"unregister":false}');
    assert.equal(fixture.life.willUnregister, false);
    for (const wrong of ["", "{", "null", "7", '{"unregister":"false"}', "[]"]) {
      const { status, body } = await ask("PUT", path, wrong);
      assert.equal(status, 400, wrong);
      assert.match(body, /\{"unregister": true\} or \{"unregister": false\}/);
    }
    assert.equal((await ask("PUT", path, "x".repeat(5000))).status, 413);
    assert.equal((await ask("DELETE", path)).body, '{"unregister":true}');
  });
});

test("flush does what maintenance does", async () => {
  const fixture = await running();
  await withRoutes(fixture, async (ask) => {
    assert.equal((await ask("GET", "flush")).status, 204);
    assert.equal((await ask("POST", "flush")).status, 204);
    assert.deepEqual(fixture.steps.taken, ["maintain", "maintain"]);
  });
});

test("an ingester that does not run yet answers 503 and says why", async () => {
  const fixture = newLife();
  fixture.steps.state = "starting";
  await withRoutes(fixture, async (ask) => {
    for (const [method, path] of [
      ["POST", "flush"],
      ["POST", "shutdown"],
      ["GET", "prepare-shutdown"],
      ["POST", "prepare-shutdown"],
      ["DELETE", "prepare-shutdown"],
      ["GET", "prepare-instance-ring-downscale"],
      ["POST", "prepare-instance-ring-downscale"],
      ["POST", "mode?mode=READONLY"],
      ["DELETE", "unregister-on-shutdown"],
    ] as const) {
      const { status, body } = await ask(method, path);
      assert.equal(status, 503, `${method} ${path}`);
      assert.match(body, /the ingester is not running \(starting\)/);
    }
  });
  assert.deepEqual(fixture.steps.taken, []);
});

test("one that came back without its data is not read before the others know", async () => {
  const clock = new TestClock();
  const before = await running({}, { clock });
  const fixture = newLife({}, { clock });
  fixture.node.store.mergeRemoteState(before.node.store.localState());
  await fixture.life.enter("10.0.0.1:9095");
  assert.match(fixture.life.whyUnreadable() ?? "", /came back without its data/);
  const ready = fixture.life.ready();
  await clock.advance(10_000);
  await ready;
  assert.equal(fixture.life.whyUnreadable(), undefined);
  assert.equal(before.life.whyUnreadable(), undefined);
});
