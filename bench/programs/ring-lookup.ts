/** The ring in this process, without servers: how long it takes to find whom a series is written to, and to place tokens. */
import assert from "node:assert/strict";
import { SeededRandom } from "../../src/base/random.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { placeTokens } from "../../src/ring/placement.ts";
import { RingView } from "../../src/ring/ring-view.ts";
import { MUNINN } from "../servers/kinds.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";

const INSTANCES = 100;
const TOKENS = 512;

const LOOKUP = {
  id: "ring-lookup",
  what: "ring of 100 instances × 512 tokens, write set of a series, CPU",
  unit: "ns",
  budget: 1000,
};
const FIRST_LOOKUPS = {
  id: "ring-new-view",
  what: "the same, new view and the write sets of all its 51,200 ranges after an instance has died, CPU",
  unit: "ms",
};
const PLACEMENT = {
  id: "ring-placement",
  what: "the same, placing the tokens of the 100th instance, CPU",
  unit: "ms",
};

export const ringLookup: BenchProgram = {
  name: "ring-lookup",
  what: "ring lookup and token placement at 100 instances, in this process",
  async run({ table, scale }: BenchContext) {
    const { instances, lastPlacementMs } = grownRing();
    table.add(MUNINN.name, PLACEMENT, lastPlacementMs);
    const well = viewOf(instances, undefined);
    const { view, tookMs } = viewAfterDeath(well, instances);
    table.add(MUNINN.name, FIRST_LOOKUPS, tookMs);
    const tokens = randomTokens(scaled(10_000_000, scale, 100_000));
    lookUpAll(view, tokens);
    table.add(MUNINN.name, LOOKUP, (lookUpAll(view, tokens) * 1e6) / tokens.length);
  },
};

/** Instances that joined one after the other; the time of the last one, with code that is warm. */
function grownRing(): { instances: Instance[]; lastPlacementMs: number } {
  const instances: Instance[] = [];
  const taken = new Set<number>();
  let lastPlacementMs = Number.NaN;
  for (let i = 0; i < INSTANCES; i++) {
    const id = `ingester-${i}`;
    const began = process.cpuUsage();
    const tokens = placeTokens({ neighbours: instances, taken, id, count: TOKENS });
    lastPlacementMs = cpuMsSince(began);
    for (const token of tokens) taken.add(token);
    instances.push(instanceWith(id, tokens));
  }
  return { instances, lastPlacementMs };
}

function viewAfterDeath(
  well: RingView,
  instances: readonly Instance[],
): { view: RingView; tookMs: number } {
  const began = process.cpuUsage();
  const view = viewOf(instances, "ingester-7", well);
  for (const token of view.table.tokens) assert.ok(view.writeSet(token).isEnough);
  return { view, tookMs: cpuMsSince(began) };
}

/** Milliseconds of CPU. The sum keeps the lookups from being left out as useless. */
function lookUpAll(view: RingView, tokens: Uint32Array): number {
  const began = process.cpuUsage();
  let members = 0;
  for (const token of tokens) members += view.writeSet(token).members.length;
  const tookMs = cpuMsSince(began);
  assert.equal(members, 3 * tokens.length);
  return tookMs;
}

function viewOf(
  instances: readonly Instance[],
  deadId: string | undefined,
  before?: RingView,
): RingView {
  const members = instances.map((instance) => ({ instance, isAlive: instance.id !== deadId }));
  const options = { replicationFactor: 3, zoneAware: false };
  return new RingView(members, options, before === undefined ? {} : { table: before.table });
}

function randomTokens(count: number): Uint32Array {
  const random = new SeededRandom(1);
  return Uint32Array.from({ length: count }, () => random.float() * 2 ** 32);
}

function cpuMsSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
}

function instanceWith(id: string, tokens: Uint32Array): Instance {
  return {
    id,
    address: `${id}:9095`,
    zone: "",
    state: "ACTIVE",
    heartbeatMs: 0,
    registeredAtMs: 0,
    readOnly: false,
    readOnlyUpdatedAtMs: 0,
    serving: true,
    hasData: true,
    lostDataAtMs: 0,
    firstDataAtMs: 0,
    versions: {},
    tokensUpdatedAtMs: 1,
    tokens,
  };
}
