/** `muninn dev-cluster`: a whole cluster of processes on this machine, for trying and for tests. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { errorMessage } from "../../base/errors.ts";
import type { ChildProcesses } from "../../sys/child-processes.ts";
import { CommandError, type CommandMachine, EXIT, type ExitCode } from "../command.ts";
import { freePorts, type Listening } from "./free-ports.ts";
import { type ClusterShape, nodesOf, planCluster } from "./plan.ts";
import { runCluster } from "./run-cluster.ts";

export interface DevClusterMachine extends CommandMachine {
  readonly network: Listening;
  readonly processes: Pick<ChildProcesses, "start">;
  /** This Node. */
  readonly nodePath: string;
  readonly stopAsked: Promise<unknown>;
}

const HELP = `Usage: muninn dev-cluster [--ingesters 3] [flags] [-- flags for every node]

Starts a cluster on this machine: each component a process of its own, all of them on 127.0.0.1, on ports that are free.

  --ingesters=3             ingesters
  --distributors=1          distributors
  --queriers=1              queriers
  --all=N                   N processes with all components in place of these
  --zones=0                 spread the ingesters over so many zones
  --replication-factor=3    copies of each series (with fewer than 3 ingesters: 1)
  --data-dir=PATH           where the nodes keep their data, also for the next time (default ./data/dev-cluster)
  --port-offset=0           ports are looked for from 8080, 9095 and 7946 plus this
  --restart                 start a node again that dies

Lines of the nodes go to standard error, each after the name of its node; the table of ports, when all are ready, to standard output.
What stands after -- goes to every node: muninn dev-cluster -- -log.level=debug`;

const NODES_MAX = 64;
/** The last port that is tried is below 65536. */
const PORT_OFFSET_MAX = 55_000;

export interface DevClusterOptions {
  readonly shape: ClusterShape;
  readonly portOffset: number;
  readonly restart: boolean;
}

export async function devCluster(
  argv: readonly string[],
  machine: DevClusterMachine,
): Promise<ExitCode> {
  if (argv.some((word) => ["--help", "-help", "-h", "help"].includes(word))) {
    machine.out(HELP);
    return EXIT.ok;
  }
  const { shape, portOffset, restart } = parseDevCluster(argv);
  const ports = await freePorts(nodesOf(shape).length, machine.network, portOffset);
  const plans = planCluster(shape, ports);
  const launcher = join(import.meta.dirname, "../../../bin/muninn.js");
  return await runCluster(
    { plans, restart, stopAsked: machine.stopAsked, out: machine.out },
    {
      ...machine,
      launcher: { program: machine.nodePath, arguments: [launcher] },
      say: machine.err,
    },
  );
}

/** Throws a CommandError about words that make no sense. */
export function parseDevCluster(argv: readonly string[]): DevClusterOptions {
  const end = argv.indexOf("--");
  const values = valuesOf(end < 0 ? argv : argv.slice(0, end));
  const factor = values["replication-factor"];
  const shape: ClusterShape = {
    ingesters: countOf("ingesters", values.ingesters ?? "3"),
    distributors: countOf("distributors", values.distributors ?? "1"),
    queriers: countOf("queriers", values.queriers ?? "1"),
    all: countOf("all", values.all ?? "0"),
    zones: countOf("zones", values.zones ?? "0"),
    replicationFactor: factor === undefined ? undefined : countOf("replication-factor", factor),
    dataDir: resolve(values["data-dir"] ?? "./data/dev-cluster"),
    extraFlags: end < 0 ? [] : argv.slice(end + 1),
  };
  const parts = [values.ingesters, values.distributors, values.queriers];
  if (shape.all > 0 && parts.some((part) => part !== undefined)) {
    throw new CommandError("--all is in place of --ingesters, --distributors and --queriers");
  }
  if (shape.all === 0 && Math.min(shape.ingesters, shape.distributors, shape.queriers) === 0) {
    throw new CommandError("a cluster needs an ingester, a distributor and a querier at least");
  }
  if (nodesOf(shape).length > NODES_MAX) {
    throw new CommandError(`more than ${NODES_MAX} processes are too many for one machine`);
  }
  const portOffset = countOf("port-offset", values["port-offset"] ?? "0", PORT_OFFSET_MAX);
  return { shape, portOffset, restart: values.restart ?? false };
}

const OPTIONS = {
  ingesters: { type: "string" },
  distributors: { type: "string" },
  queriers: { type: "string" },
  all: { type: "string" },
  zones: { type: "string" },
  "replication-factor": { type: "string" },
  "data-dir": { type: "string" },
  "port-offset": { type: "string" },
  restart: { type: "boolean" },
} as const;

function valuesOf(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values;
  } catch (error) {
    throw new CommandError(`${errorMessage(error)} (muninn dev-cluster --help)`);
  }
}

function countOf(name: string, text: string, max = 999): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= max) return Number(text);
  throw new CommandError(`--${name}=${text}: write a whole number, at most ${max}`);
}
