import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseDevCluster } from "../../../src/cli/dev-cluster/dev-cluster.ts";
import {
  type ClusterPorts,
  type NodePlan,
  nodesOf,
  planCluster,
} from "../../../src/cli/dev-cluster/plan.ts";
import type { Config } from "../../../src/config/config.ts";
import { loadConfig } from "../../../src/config/load.ts";

function portsFor(count: number): ClusterPorts {
  const from = (first: number): number[] => Array.from({ length: count }, (_, i) => first + i);
  return { http: from(8080), rpc: from(9095), gossip: from(7946) };
}

function planOf(...words: string[]): NodePlan[] {
  const { shape } = parseDevCluster(words);
  return planCluster(shape, portsFor(nodesOf(shape).length));
}

/** What the program makes of a node's flags, which must be right and leave nothing to warn about. */
async function configOf({ flags }: NodePlan): Promise<Config> {
  const loaded = await loadConfig({ argv: flags, readFile: async () => "", env: {} });
  assert.ok("config" in loaded, "errors" in loaded ? loaded.errors.join("\n") : "");
  assert.deepEqual(loaded.warnings, []);
  return loaded.config;
}

test("by default: a distributor, a querier, three ingesters, each with its own ports and folder", () => {
  assert.deepEqual(
    planOf("--data-dir=/d").map(({ name, target, httpPort, rpcPort, gossipPort }) => {
      return { name, target, httpPort, rpcPort, gossipPort };
    }),
    [
      ["distributor-1", "distributor"],
      ["querier-1", "querier"],
      ["ingester-1", "ingester"],
      ["ingester-2", "ingester"],
      ["ingester-3", "ingester"],
    ].map(([name, target], index) => ({
      name,
      target,
      httpPort: 8080 + index,
      rpcPort: 9095 + index,
      gossipPort: 7946 + index,
    })),
  );
});

test("the flags are right, and the nodes find each other", async () => {
  const plan = planOf("--ingesters", "4", "--zones=2", "--data-dir=/d", "--", "-log.level=debug");
  const configs = await Promise.all(plan.map(configOf));
  const labels = new Set(configs.map(({ memberlist }) => memberlist.clusterLabel));
  assert.equal(labels.size, 1);
  assert.match([...labels].join(), /^dev-cluster-[0-9a-f]{8}$/);
  for (const [index, config] of configs.entries()) {
    const own = plan[index] as NodePlan;
    const { memberlist, ring, server } = config;
    assert.deepEqual(config.target, [own.target]);
    assert.equal(config.dataDir, `/d/${own.name}`);
    assert.equal(config.log.level, "debug");
    assert.equal(ring.replicationFactor, 3);
    assert.equal(ring.zoneAwarenessEnabled, true);
    for (const address of [
      server.httpListenAddress,
      server.rpcListenAddress,
      memberlist.bindAddr,
    ]) {
      assert.equal(address, "127.0.0.1", "nothing is open to other machines");
    }
    assert.equal(memberlist.nodeName, own.name);
    assert.equal(memberlist.joinMembers.length, 3);
    assert.ok(!memberlist.joinMembers.includes(`127.0.0.1:${memberlist.bindPort}`));
  }
  assert.deepEqual(
    configs.slice(2).map(({ ring }) => [ring.instanceId, ring.instanceAvailabilityZone]),
    [
      ["ingester-1", "zone-1"],
      ["ingester-2", "zone-2"],
      ["ingester-3", "zone-1"],
      ["ingester-4", "zone-2"],
    ],
  );
});

test("every shape gives flags that load, names and ports that are used once, and a way from each node to all", async () => {
  const anyShape = fc.record({
    ingesters: fc.integer({ min: 1, max: 6 }),
    distributors: fc.integer({ min: 1, max: 3 }),
    queriers: fc.integer({ min: 1, max: 3 }),
    all: fc.integer({ min: 0, max: 4 }),
    zones: fc.integer({ min: 0, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(anyShape, async (numbers) => {
      const shape = { ...numbers, replicationFactor: undefined, dataDir: "/d", extraFlags: [] };
      const plan = planCluster(shape, portsFor(nodesOf(shape).length));
      const configs = await Promise.all(plan.map(configOf));
      assert.equal(new Set(plan.map(({ name }) => name)).size, plan.length);
      const ports = plan.flatMap((node) => [node.httpPort, node.rpcPort, node.gossipPort]);
      assert.equal(new Set(ports).size, ports.length);
      assert.ok(configs.every(({ ring }) => ring.replicationFactor % 2 === 1));
      if (plan.length > 1) {
        // Who joins nobody would wait for others to come, and two such groups would never meet.
        assert.ok(configs.every(({ memberlist }) => memberlist.joinMembers.length > 0));
        const seeds = new Set(configs.flatMap(({ memberlist }) => memberlist.joinMembers));
        assert.ok(seeds.size <= 4, "all ask the same few");
      }
    }),
    { numRuns: 50 },
  );
});

test("--all is a number of whole programs; the replication factor can be chosen", async () => {
  const plan = planOf("--all=2", "--replication-factor=1");
  assert.deepEqual(
    plan.map(({ name, target }) => [name, target]),
    [
      ["muninn-1", "all"],
      ["muninn-2", "all"],
    ],
  );
  const config = await configOf(plan[1] as NodePlan);
  assert.equal(config.ring.instanceId, "muninn-2");
  assert.equal(config.distributorRing.instanceId, "muninn-2");
  assert.equal(config.ring.replicationFactor, 1);
});

test("words that make no sense say so", () => {
  for (const [words, message] of [
    [["--ingesters=many"], /--ingesters=many: write a whole number/],
    [["--port-offset=60000"], /at most 55000/],
    [["--ingesters=0"], /needs an ingester, a distributor and a querier/],
    [["--all=2", "--ingesters=1"], /--all is in place of/],
    [["--ingesters=90"], /more than 64 processes/],
    [["three"], /Unexpected argument 'three'/],
    [["--ingester=3"], /Unknown option '--ingester'/],
  ] as const) {
    assert.throws(() => parseDevCluster(words), message);
  }
});
