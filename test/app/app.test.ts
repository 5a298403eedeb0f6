import assert from "node:assert/strict";
import { test } from "node:test";
import { OpError } from "../../src/base/errors.ts";
import type { FileSystem } from "../../src/base/file-system.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { settle } from "../testkit/test-clock.ts";
import { toBytes } from "../tsdb/disk-fixtures.ts";
import { get, listening, newApp, push } from "./app-fixture.ts";

test("what one process stored, the next one on the same disk has", async () => {
  const disk = new MemoryFileSystem();
  const first = newApp({ disk });
  await first.app.start();
  assert.equal((await get(first.server, "/ready")).body, "ready\n");
  assert.deepEqual(await push(first.server, "team-a", first.clock.nowMs()), {
    status: 200,
    body: "",
  });
  const { tenants } = JSON.parse((await get(first.server, "/ingester/tenants")).body);
  assert.equal(tenants.length, 1);
  assert.equal(tenants[0].tenant, "team-a");
  assert.equal(tenants[0].seriesCount, 1);
  assert.equal(tenants[0].samplesCount, 1);
  await first.app.stop();
  assert.equal(first.clock.timersWaiting, 0, "everything started is stopped");

  const second = newApp({ disk });
  await second.app.start();
  assert.deepEqual(
    second.app.tenants().map(({ tenant, seriesCount }) => [tenant, seriesCount]),
    [["team-a", 1]],
  );
  await second.app.stop();
});

test("every service runs, and none does after the stop", async () => {
  const { app, server } = newApp();
  assert.deepEqual([...new Set(app.services().map(({ state }) => state))], ["new"]);
  await app.start();
  const { services } = JSON.parse((await get(server, "/services")).body);
  assert.deepEqual(
    services.filter(({ state }: { state: string }) => state !== "running"),
    [],
  );
  await app.stop();
  assert.deepEqual([...new Set(app.services().map(({ state }) => state))], ["terminated"]);
});

test("while the ingester starts, the server answers and lets nothing in", async () => {
  const disk = new HeldDisk(new MemoryFileSystem(), /\/wal$/);
  const { app, server } = newApp({ disk: disk.fileSystem });
  const started = app.start();
  await listening(server);
  await disk.reached;
  const ready = await get(server, "/ready");
  assert.equal(ready.status, 503);
  assert.match(ready.body, /ingester is starting/);
  assert.match(ready.body, /traffic is waiting to start/);
  assert.equal((await get(server, "/metrics")).status, 200);
  const refused = await push(server, "team-a", 0);
  assert.equal(refused.status, 503);
  assert.match(refused.body, /ingester is starting/);
  disk.release();
  await started;
  assert.equal((await get(server, "/ready")).status, 200);
  await app.stop();
});

test("a stop during the start ends it", async () => {
  const disk = new HeldDisk(new MemoryFileSystem(), /\/wal$/);
  const { app, server } = newApp({ disk: disk.fileSystem });
  const started = app.start();
  await disk.reached;
  await app.stop();
  assert.equal(server.app.server.listening, false);
  disk.release();
  await started;
  assert.notEqual(app.services().find(({ name }) => name === "traffic")?.state, "running");
});

test("a part that cannot start fails the start, and the rest can be stopped", async () => {
  const disk = new MemoryFileSystem();
  const broken = newProxy(disk, "list", async () => {
    throw new Error("the disk is gone");
  });
  const { app, server } = newApp({ disk: broken });
  await assert.rejects(app.start(), /the disk is gone/);
  assert.match((await get(server, "/ready")).body, /ingester has failed: the disk is gone/);
  await app.stop();
  assert.equal(server.app.server.listening, false);
});

test("a data directory that another process has ends the start before anything else", async () => {
  const { app, server } = newApp({
    machine: {
      lockDirectory: async (path) => {
        throw new OpError("data-dir-locked", `${path} is in use`);
      },
    },
  });
  await assert.rejects(app.start(), { code: "data-dir-locked" });
  assert.equal(server.app.server.listening, false);
  await app.stop();
});

test("heads and log that lie elsewhere are kept from other processes too", async () => {
  const { tsdb, ingester } = defaultConfig();
  const held = new Set<string>();
  const machine = {
    lockDirectory: async (path: string) => {
      if (held.has(path)) throw new OpError("data-dir-locked", `${path} is in use`);
      held.add(path);
      return {
        release: async () => {
          held.delete(path);
        },
      };
    },
  };
  const start = async (dataDir: string, tsdbDir: string, walDir: string) => {
    const { app } = newApp({
      machine,
      config: {
        dataDir,
        tsdb: { ...tsdb, dir: tsdbDir },
        ingester: { ...ingester, wal: { ...ingester.wal, dir: walDir } },
      },
    });
    await app.start().catch(async (error: unknown) => {
      await app.stop();
      throw error;
    });
    return app;
  };
  const first = await start("/a", "/a/tsdb", "/fast/wal");
  const mine = [...held];
  await assert.rejects(start("/b", "/a/tsdb", "/b/wal"), { message: "/a/tsdb is in use" });
  await assert.rejects(start("/b", "/b/tsdb", "/fast/wal"), { message: "/fast/wal is in use" });
  assert.deepEqual([...held], mine, "what was taken before the refusal is given back");
  await first.stop();
  assert.deepEqual([...held], []);
});

test("the data directory is given back last", async () => {
  const { app, server } = newApp({
    machine: {
      lockDirectory: async () => ({
        async release() {
          assert.equal(server.app.server.listening, false);
          assert.equal(app.parts.ingester?.ingester.status.state, "stopped");
        },
      }),
    },
  });
  await app.start();
  await app.stop();
  assert.equal(app.services().find(({ name }) => name === "dataDir")?.state, "terminated");
});

test("targets that this version does not have are refused by name", () => {
  assert.throws(() => newApp({ config: { target: ["querier", "compactor", "store-gateway"] } }), {
    code: "target-not-available",
    message: /target compactor,store-gateway: not available in this version/,
  });
});

test("a bucket that is configured and not reachable is told on every side", async () => {
  const asked: string[] = [];
  const { storage } = defaultConfig();
  const s3 = { ...storage.s3, endpoint: "s3.example:9000", bucketName: "metrics", insecure: true };
  const { app, server, logger, clock } = newApp({
    config: { storage: { ...storage, backend: "s3", s3 } },
    machine: {
      probe: async (url) => {
        asked.push(url);
        return { kind: "unreachable", reason: "connect ECONNREFUSED" };
      },
    },
  });
  await app.start();
  await settle();
  const said =
    /object storage \(s3 bucket "metrics" at http:\/\/s3\.example:9000\/\) is configured but unreachable \(connect ECONNREFUSED\)/;
  const ready = await get(server, "/ready");
  assert.equal(ready.status, 200, "the head works without it");
  assert.match(ready.body, said);
  assert.match((await get(server, "/")).body.replaceAll("&quot;", '"'), said);
  assert.equal(logger.lines.filter(({ message }) => said.test(message)).length, 1);
  await clock.advance(60_000);
  assert.equal(asked.length, 2);
  assert.equal(
    logger.lines.filter(({ message }) => said.test(message)).length,
    1,
    "the same news is logged once",
  );
  assert.equal((await push(server, "team-a", clock.nowMs())).status, 200);
  await app.stop();
});

test("the runtime file's ingester_limits hold for the running ingester", async () => {
  const disk = new MemoryFileSystem();
  await disk.writeFileAtomic("/runtime.yaml", toBytes("ingester_limits: {max_tenants: 1}\n"));
  const { app, server, clock } = newApp({
    disk,
    config: { runtimeConfig: { files: ["/runtime.yaml"], reloadPeriodMs: 10_000 } },
  });
  await app.start();
  assert.equal((await push(server, "a", clock.nowMs())).status, 200);
  const refused = await push(server, "b", clock.nowMs());
  assert.equal(refused.status, 500);
  assert.match(refused.body, /err-mimir-ingester-max-tenants/);
  await disk.writeFileAtomic("/runtime.yaml", toBytes("ingester_limits: {max_tenants: 2}\n"));
  await clock.advance(10_000);
  assert.equal((await push(server, "b", clock.nowMs())).status, 200);
  await app.stop();
});

test("a log that takes longer than distributor.remote_timeout is a 500, and the push may come again", async () => {
  const { distributor, ingester } = defaultConfig();
  const disk = new MemoryFileSystem();
  const released = Promise.withResolvers<void>();
  let isSlow = false;
  const slow = newProxy(disk, "open", async (path, mode) => {
    const file = await disk.open(path, mode);
    return new Proxy(file, {
      get(_target, name) {
        const value: unknown = Reflect.get(file, name, file);
        if (typeof value !== "function") return value;
        if (name !== "sync" || !path.includes("/wal/")) return value.bind(file);
        return async () => {
          if (isSlow) await released.promise;
          await file.sync();
        };
      },
    });
  });
  const { app, server, clock } = newApp({
    disk: slow,
    config: {
      distributor: { ...distributor, remoteTimeoutMs: 700 },
      ingester: { ...ingester, wal: { ...ingester.wal, sync: "commit" } },
    },
  });
  await app.start();
  const timeMs = clock.nowMs();
  assert.equal((await push(server, "a", timeMs)).status, 200);
  isSlow = true;
  const answer = push(server, "a", timeMs + 1);
  let isAnswered = false;
  void answer.finally(() => {
    isAnswered = true;
  });
  while (!isAnswered) await clock.advance(100);
  assert.deepEqual(await answer, {
    status: 500,
    body: "send data to ingesters: the ingester did not answer within 700 ms\n",
  });
  isSlow = false;
  released.resolve();
  assert.equal((await push(server, "a", timeMs + 1)).status, 200);
  await app.stop();
});

/** A disk on which listing one folder takes until `release`. */
class HeldDisk {
  readonly fileSystem: FileSystem;
  readonly reached: Promise<void>;
  readonly release: () => void;

  constructor(disk: MemoryFileSystem, folder: RegExp) {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.reached = reached.promise;
    this.release = () => released.resolve();
    this.fileSystem = newProxy(disk, "list", async (path) => {
      if (folder.test(path)) {
        reached.resolve();
        await released.promise;
      }
      return disk.list(path);
    });
  }
}

function newProxy<Method extends keyof FileSystem>(
  disk: MemoryFileSystem,
  method: Method,
  replacement: FileSystem[Method],
): FileSystem {
  return new Proxy<FileSystem>(disk, {
    get(_target, name) {
      if (name === method) return replacement;
      const value: unknown = Reflect.get(disk, name, disk);
      return typeof value === "function" ? value.bind(disk) : value;
    },
  });
}
