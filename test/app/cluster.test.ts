import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { Cluster, clusterLabel } from "../../src/app/cluster.ts";
import type { Context } from "../../src/app/module.ts";
import { must } from "../../src/base/assert.ts";
import { SeededRandom } from "../../src/base/random.ts";
import type { Config } from "../../src/config/config.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import { RING_VALUE } from "../../src/ring/ring-value.ts";
import { MemoryLogger } from "../http/http-fixture.ts";
import { grow } from "../ring/fixture.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { SimNetwork } from "../testkit/sim-network.ts";
import { TestClock } from "../testkit/test-clock.ts";
import { during, until } from "./app-fixture.ts";

const KEY = "collectors/ring";

/** Clusters on one network: `at(3)` is the process on 10.0.0.3. */
class Processes {
  readonly clock = new TestClock();
  readonly network = new SimNetwork({}, { clock: this.clock, random: new SeededRandom(1) });
  readonly logger = new MemoryLogger();

  at(host: number, memberlist: Partial<Config["memberlist"]> = {}, explicit?: string[]): Cluster {
    const config = defaultConfig();
    const context: Context = {
      config: { ...config, memberlist: { ...config.memberlist, ...memberlist } },
      explicit: new Set(explicit ?? ["memberlist.bind_addr"]),
      machine: {
        clock: this.clock,
        logger: this.logger,
        random: new SeededRandom(host),
        fileSystem: new MemoryFileSystem(),
        network: this.network.host(`10.0.0.${host}`),
        hostName: `host-${host}`,
        lockDirectory: async () => ({ release: async () => undefined }),
        probe: async () => ({ kind: "unreachable", reason: "no network in tests" }),
      },
      registry: new Registry(),
      overview: undefined as unknown as Context["overview"],
    };
    return new Cluster(context, [RING_VALUE]);
  }

  /** How much time it took. */
  async start(cluster: Cluster): Promise<number> {
    const startMs = this.clock.monotonicMs();
    await during(this.clock, cluster.start());
    return this.clock.monotonicMs() - startMs;
  }
}

test("the label is what members that share a bucket share, and no one else", () => {
  const config = defaultConfig();
  const labelOf = (
    storage: Partial<Config["storage"]>,
    {
      explicit = [],
      clusterLabel: given = "",
    }: { explicit?: string[]; clusterLabel?: string } = {},
  ): string =>
    clusterLabel(
      {
        ...config,
        storage: { ...config.storage, ...storage },
        memberlist: { ...config.memberlist, clusterLabel: given },
      },
      new Set(explicit),
    );
  const s3 = (changes: Partial<Config["storage"]["s3"]>): string =>
    labelOf({ backend: "s3", s3: { ...config.storage.s3, ...changes } });
  const bucket = s3({ endpoint: "s3.example", bucketName: "metrics" });
  assert.match(bucket, /^muninn-[0-9a-f]{12}$/);
  assert.equal(s3({ endpoint: "s3.example", bucketName: "metrics", insecure: true }), bucket);
  assert.notEqual(s3({ endpoint: "s3.example", bucketName: "other" }), bucket);
  assert.notEqual(s3({ endpoint: "s4.example", bucketName: "metrics" }), bucket);
  const inFolder = { endpoint: "s3.example", bucketName: "metrics" };
  assert.notEqual(
    labelOf({ backend: "s3", s3: { ...config.storage.s3, ...inFolder }, storagePrefix: "b" }),
    bucket,
  );

  const filesystem = (dir: string, explicit: string[]): string =>
    labelOf({ backend: "filesystem", filesystem: { dir } }, { explicit });
  const key = "blocks_storage.filesystem.dir";
  assert.notEqual(filesystem("/shared/a", [key]), filesystem("/shared/b", [key]));
  assert.equal(
    filesystem("/var/1/blocks", []),
    filesystem("/var/2/blocks", []),
    "each has a directory of its own, which says nothing",
  );
  assert.equal(labelOf({ backend: "s3" }, { clusterLabel: "mine" }), "mine");
});

test("a process that is alone has no gossip, opens no port, and waits for nobody", async () => {
  const processes = new Processes();
  const alone = processes.at(1, {}, []);
  assert.equal(alone.isAlone, true);
  await alone.start();
  alone.store.update(
    KEY,
    RING_VALUE,
    () => new Map(grow({ count: 1 }).map((one) => [one.id, one])),
  );
  await alone.told();
  await alone.stop();
  assert.equal(processes.network.sent.datagrams, 0);
  assert.equal(processes.clock.timersWaiting, 0);
});

test("the first member asks for 10 s, says so, and goes on; who comes later learns at once", async () => {
  const processes = new Processes();
  const joinMembers = ["10.0.0.1", "10.0.0.2"];
  const first = processes.at(1, { joinMembers });
  const tookMs = await processes.start(first);
  assert.ok(tookMs >= 9_000 && tookMs <= 11_000, `${tookMs} ms`);
  const warnings = processes.logger.lines.filter(({ level }) => level === "warn");
  assert.equal(warnings.length, 1);
  assert.match(String(warnings[0]?.fields["reasons"]), /10\.0\.0\.2/);
  const ring = new Map(grow({ count: 3 }).map((one) => [one.id, one]));
  first.store.update(KEY, RING_VALUE, () => ring);

  const second = processes.at(2, { joinMembers });
  assert.ok((await processes.start(second)) < 2_000);
  assert.deepEqual([...second.store.get(KEY, RING_VALUE).keys()], [...ring.keys()]);
  await during(processes.clock, Promise.all([second.stop(), first.stop()]));
  await processes.clock.advance(1_000);
  assert.equal(processes.clock.timersWaiting, 0);
});

test("one whose list has nobody but itself does not wait", async () => {
  const processes = new Processes();
  const only = processes.at(1, { joinMembers: ["10.0.0.1"] });
  assert.ok((await processes.start(only)) < 1_000);
  await during(processes.clock, only.stop());
});

test("members that start at the same time find each other, and one hears what the other says", async () => {
  const processes = new Processes();
  const joinMembers = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
  const all = [1, 2, 3].map((host) => processes.at(host, { joinMembers }));
  await during(processes.clock, Promise.all(all.map((cluster) => cluster.start())));
  await until(processes.clock, () => all.every(({ gossip }) => gossip?.liveCount === 3));
  const [first, , third] = all;
  const [one] = grow({ count: 1 });
  must(first, "there are three").store.update(
    KEY,
    RING_VALUE,
    () => new Map(one === undefined ? [] : [[one.id, one]]),
  );
  const startMs = processes.clock.monotonicMs();
  await during(processes.clock, must(first, "there are three").told());
  assert.ok(processes.clock.monotonicMs() - startMs <= 3_020);
  assert.equal(third?.store.get(KEY, RING_VALUE).size, 1);
  await during(processes.clock, Promise.all(all.map((cluster) => cluster.stop())));
});

test("one that is to find somebody, and does not, fails with the reasons and the flag", async () => {
  const processes = new Processes();
  const joinMembers = ["10.0.0.8", "10.0.0.9:1234"];
  const cluster = processes.at(1, { joinMembers, abortIfClusterJoinFails: true });
  await assert.rejects(processes.start(cluster), {
    code: "join-failed",
    message: /10\.0\.0\.8.*; 10\.0\.0\.9:1234.*-memberlist\.join/s,
  });
  await during(processes.clock, cluster.stop());
});

test("members that were cut apart when they started become one cluster later", async () => {
  const processes = new Processes();
  processes.network.partition(["10.0.0.1"], ["10.0.0.2"]);
  const joinMembers = ["10.0.0.1", "10.0.0.2"];
  const both = [1, 2].map((host) => processes.at(host, { joinMembers }));
  await during(processes.clock, Promise.all(both.map((cluster) => cluster.start())));
  assert.ok(both.every(({ gossip }) => gossip?.liveCount === 1));
  processes.network.heal();
  await until(processes.clock, () => both.every(({ gossip }) => gossip?.liveCount === 2));
  await during(processes.clock, Promise.all(both.map((cluster) => cluster.stop())));
});

test("a gossip port that is taken is told with its flags", async () => {
  const processes = new Processes();
  const first = processes.at(1);
  await processes.start(first);
  await assert.rejects(processes.start(processes.at(1)), {
    code: "listen-failed",
    message:
      /0\.0\.0\.0:7946 \(EADDRINUSE\); see -memberlist\.bind-addr and -memberlist\.bind-port/,
  });
  await during(processes.clock, first.stop());
});
