/**
 * A cluster from its start to its end: all nodes at once, a table when all are ready, and on the first signal a clean stop
 * in the order in which work passes through: who takes pushes and queries first, then who holds samples.
 */
import { EXIT, type ExitCode } from "../command.ts";
import { type Column, tableLines } from "../tool/table.ts";
import { type NodeMachine, NodeProcess } from "./node-process.ts";
import type { NodePlan } from "./plan.ts";

export interface ClusterRun {
  readonly plans: readonly NodePlan[];
  readonly restart: boolean;
  /** Resolves with the first signal. */
  readonly stopAsked: Promise<unknown>;
  readonly out: (line: string) => void;
}

const READY_POLL_MS = 200;
const READY_REMINDER_MS = 10_000;
const STOP_TIMEOUT_MS = 60_000;

export async function runCluster(run: ClusterRun, machine: NodeMachine): Promise<ExitCode> {
  const died = Promise.withResolvers<NodeProcess>();
  const nodes = run.plans.map(
    (plan) => new NodeProcess(plan, machine, { restart: run.restart, onDeath: died.resolve }),
  );
  try {
    for (const node of nodes) await node.start();
    const waiting = new AbortController();
    const stopAsked = run.stopAsked.then(() => "stop" as const);
    const isReady = whenReady(nodes, machine, waiting.signal);
    const first = await Promise.race([isReady, stopAsked, died.promise]);
    waiting.abort();
    if (first instanceof NodeProcess) {
      machine.say(`${first.plan.name} ended before the cluster was ready: the others are stopped`);
    }
    if (first === "ready") {
      for (const line of summaryLines(nodes)) run.out(line);
      await stopAsked;
    }
    machine.say("stopping the cluster; a second signal kills it");
    const isClean = await stopAll(nodes);
    machine.say(isClean ? "stopped" : "stopped, but not all of it cleanly");
    return isClean && !(first instanceof NodeProcess) ? EXIT.ok : EXIT.refused;
  } finally {
    for (const node of nodes) node.kill();
  }
}

async function whenReady(
  nodes: readonly NodeProcess[],
  { clock, say }: NodeMachine,
  over: AbortSignal,
): Promise<"ready" | "over"> {
  let remindedMs = clock.monotonicMs();
  while (!over.aborted) {
    const asked = nodes.map(async (node) => ({ node, why: await node.whyNotReady() }));
    const waiting = (await Promise.all(asked)).filter(({ why }) => why !== undefined);
    if (waiting.length === 0) return "ready";
    if (clock.monotonicMs() - remindedMs >= READY_REMINDER_MS) {
      remindedMs = clock.monotonicMs();
      for (const { node, why } of waiting) say(`waiting for ${node.plan.name}: ${why}`);
    }
    await new Promise<void>((resolve) => clock.after(READY_POLL_MS, resolve));
  }
  return "over";
}

/** A node that died before counts as not clean. */
async function stopAll(nodes: readonly NodeProcess[]): Promise<boolean> {
  const holds = ({ plan }: NodeProcess): boolean => plan.target === "ingester";
  for (const group of [nodes.filter((node) => !holds(node)), nodes.filter(holds)]) {
    await Promise.all(group.map((node) => node.stop(STOP_TIMEOUT_MS)));
  }
  return nodes.every(({ end }) => end?.code === 0);
}

const COLUMNS: readonly Column[] = [
  { title: "NODE" },
  { title: "HTTP" },
  { title: "RPC", align: "right" },
  { title: "GOSSIP", align: "right" },
  { title: "PID", align: "right" },
];

function summaryLines(nodes: readonly NodeProcess[]): string[] {
  const urlOf = (target: string): string =>
    (nodes.find(({ plan }) => plan.target === target) ?? nodes[0])?.url ?? "";
  const table = tableLines(
    COLUMNS,
    nodes.map(({ plan, url, pid }) => [
      plan.name,
      url,
      String(plan.rpcPort),
      String(plan.gossipPort),
      String(pid),
    ]),
  );
  return [
    "",
    ...table,
    "",
    `push      ${urlOf("distributor")}/api/v1/push   (header X-Scope-OrgID: demo)`,
    `query     ${urlOf("querier")}/prometheus   (the same header)`,
    `ring      ${urlOf("distributor")}/ingester/ring`,
    `members   ${urlOf("distributor")}/memberlist`,
    `tools     muninn tool ring status --url=${urlOf("distributor")}`,
    "",
    "Ctrl-C stops all of it; the data stays.",
  ];
}
