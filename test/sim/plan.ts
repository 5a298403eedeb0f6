/** What happens in one run, all of it drawn from the seed: the cluster, its network, and the faults in their time. Pure. */
import { SeededRandom } from "../../src/base/random.ts";
import type { SimNetworkOptions } from "../testkit/sim-network.ts";

export interface RunPlan {
  readonly seed: number;
  readonly ingesters: number;
  readonly distributors: number;
  /** Instances go round them; one: zones are not used. */
  readonly zones: number;
  /** Of the one tenant; 0: all ingesters. */
  readonly shardSize: number;
  readonly walSync: "interval" | "commit";
  readonly network: SimNetworkOptions;
  /** Wall clocks, by the number of the node. */
  readonly skewsMs: readonly number[];
  readonly chaosMs: number;
  readonly faults: readonly Fault[];
}

/** Nodes by their number: ingesters first, then distributors, then the querier. */
export type Fault = { readonly atMs: number } & FaultKind;

export type FaultKind =
  /** SIGKILL; started again later. */
  | { readonly kind: "kill"; readonly node: number; readonly backAfterMs: number }
  /** The machine loses power, and what was not synced. */
  | { readonly kind: "power-cut"; readonly node: number; readonly backAfterMs: number }
  /** SIGKILL, and it comes back with an empty disk. */
  | { readonly kind: "lost-disk"; readonly node: number; readonly backAfterMs: number }
  /** SIGKILL, and it never comes back. */
  | { readonly kind: "gone"; readonly node: number }
  | { readonly kind: "restart"; readonly node: number; readonly backAfterMs: number }
  /** Each ingester in turn, the next when the one before is ready. */
  | { readonly kind: "rolling-restart"; readonly pauseMs: number }
  | { readonly kind: "freeze"; readonly node: number; readonly forMs: number }
  | { readonly kind: "slow"; readonly node: number; readonly byMs: number; readonly forMs: number }
  | {
      readonly kind: "partition";
      readonly nodes: readonly number[];
      /** Only what they send is lost. */
      readonly oneWay: boolean;
      readonly forMs: number;
    }
  | { readonly kind: "clock-jump"; readonly node: number; readonly byMs: number };

export function planRun(seed: number): RunPlan {
  const dice = new Dice(seed);
  const ingesters = dice.oneOf([3, 3, 3, 4, 5, 6]);
  const zones = ingesters >= 3 && dice.chance(0.3) ? 3 : 1;
  const distributors = dice.oneOf([1, 2]);
  const nodes = ingesters + distributors + 1;
  const walSync = dice.chance(0.3) ? "commit" : "interval";
  const chaosMs = 30_000;
  return {
    seed,
    ingesters,
    distributors,
    zones,
    shardSize: zones === 1 && ingesters > 3 && dice.chance(0.3) ? 3 : 0,
    walSync,
    network: {
      lossRate: dice.oneOf([0, 0, 0.02, 0.1, 0.2]),
      duplicateRate: dice.oneOf([0, 0.02, 0.1]),
      delayMsMin: 0.2,
      delayMsMax: dice.oneOf([2, 2, 20, 100]),
    },
    skewsMs: Array.from({ length: nodes }, () =>
      dice.chance(0.3) ? dice.between(-30_000, 30_000) : 0,
    ),
    chaosMs,
    faults: faultsOf(dice, { ingesters, nodes, walSync, chaosMs }),
  };
}

interface Scene {
  readonly ingesters: number;
  readonly nodes: number;
  readonly walSync: RunPlan["walSync"];
  readonly chaosMs: number;
}

function faultsOf(dice: Dice, scene: Scene): Fault[] {
  const faults: Fault[] = [];
  const count = dice.between(1, 7);
  // One replica may be lost, not two.
  let mayLose = true;
  for (let index = 0; index < count; index++) {
    const atMs = dice.between(500, scene.chaosMs - 5_000);
    const fault = faultOf(dice, scene, mayLose);
    if (losesData(fault, scene.walSync)) mayLose = false;
    faults.push({ atMs, ...fault });
  }
  return faults.sort((left, right) => left.atMs - right.atMs);
}

/** Whether what an ingester had acknowledged may be gone from its disk. */
function losesData(fault: FaultKind, walSync: RunPlan["walSync"]): boolean {
  return fault.kind === "lost-disk" || fault.kind === "gone" || losesUnnoticed(fault, walSync);
}

/** And nobody can know: the last second before a power cut. */
export function losesUnnoticed(fault: FaultKind, walSync: RunPlan["walSync"]): boolean {
  return fault.kind === "power-cut" && walSync !== "commit";
}

function faultOf(dice: Dice, { ingesters, nodes, walSync }: Scene, mayLose: boolean): FaultKind {
  const ingester = dice.between(0, ingesters - 1);
  const node = dice.between(0, nodes - 1);
  const backAfterMs = dice.between(100, 12_000);
  const forMs = dice.between(500, 12_000);
  const kinds: readonly (() => FaultKind)[] = [
    () => ({ kind: "kill", node, backAfterMs }),
    () => ({ kind: "kill", node: ingester, backAfterMs }),
    () => ({ kind: "restart", node, backAfterMs }),
    () => ({ kind: "rolling-restart", pauseMs: dice.between(0, 3_000) }),
    () => ({ kind: "freeze", node, forMs }),
    () => ({ kind: "slow", node, byMs: dice.between(50, 3_000), forMs }),
    () => ({
      kind: "partition",
      nodes: dice.some(nodes),
      oneWay: dice.chance(0.3),
      forMs,
    }),
    () => ({ kind: "clock-jump", node, byMs: dice.between(-20_000, 20_000) }),
    ...(mayLose || walSync === "commit"
      ? [() => ({ kind: "power-cut", node: ingester, backAfterMs }) as const]
      : []),
    ...(mayLose
      ? [
          () => ({ kind: "lost-disk", node: ingester, backAfterMs }) as const,
          () => ({ kind: "gone", node: ingester }) as const,
        ]
      : []),
  ];
  return dice.oneOf(kinds)();
}

export class Dice {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  /** Both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.#random.float() * (most - least + 1));
  }

  chance(part: number): boolean {
    return this.#random.float() < part;
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)] as T;
  }

  /** At least one, not all. */
  some(count: number): number[] {
    const order = Array.from({ length: count }, (_, index) => index);
    for (let at = count - 1; at > 0; at--) {
      const other = this.between(0, at);
      [order[at], order[other]] = [order[other] as number, order[at] as number];
    }
    return order.slice(0, this.between(1, count - 1)).sort((left, right) => left - right);
  }
}
