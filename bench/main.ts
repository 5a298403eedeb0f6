/**
 * npm run bench -- NAME… [options]
 *
 *   NAME          a program of bench/programs, or "all"; without a name they are listed
 *   --scale=N     size of the load, 1 = the size of the budgets (default)
 *   --smoke       a size of seconds, to see that everything works; the figures mean nothing
 *   --no-peers    Muninn only; by default each peer that is installed is measured in the same run
 *   --write       put the figures into docs/performance.md
 *
 * Every figure is CPU, memory or time of the server's process as the kernel counts it; the sender runs here, on the
 * same machine, with bodies made beforehand.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FigureTable, format } from "./figure.ts";
import { updatePage } from "./performance-page.ts";
import { machineCpuSeconds, ownCpuSeconds } from "./process-usage.ts";
import { gossipConvergence } from "./programs/gossip-convergence.ts";
import { ingest } from "./programs/ingest.ts";
import { newSeries } from "./programs/new-series.ts";
import { paced } from "./programs/paced.ts";
import { query24h } from "./programs/query-24h.ts";
import { recovery } from "./programs/recovery.ts";
import { replication } from "./programs/replication.ts";
import { restart } from "./programs/restart.ts";
import { ringLookup } from "./programs/ring-lookup.ts";
import { writeLatencyUnderQuery } from "./programs/write-latency.ts";
import { MUNINN, PEERS } from "./servers/kinds.ts";
import { Server } from "./servers/server.ts";

const PROGRAMS = [
  ingest,
  paced,
  newSeries,
  restart,
  query24h,
  writeLatencyUnderQuery,
  ringLookup,
  replication,
  recovery,
  gossipConvergence,
];
const SMOKE_SCALE = 0.01;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    scale: { type: "string", default: "1" },
    smoke: { type: "boolean", default: false },
    peers: { type: "boolean", default: true },
    write: { type: "boolean", default: false },
  },
});

const chosen = PROGRAMS.filter(
  ({ name }) => positionals.includes(name) || positionals.includes("all"),
);
const unknown = positionals.filter(
  (name) => name !== "all" && PROGRAMS.every((program) => program.name !== name),
);
if (chosen.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) console.error(`no such program: ${unknown.join(", ")}\n`);
  console.error("npm run bench -- NAME… [--scale=N] [--smoke] [--no-peers] [--write]\n");
  for (const { name, what } of PROGRAMS) console.error(`  ${name.padEnd(28)}${what}`);
  console.error(`  ${"all".padEnd(28)}all of them`);
  process.exit(unknown.length > 0 ? 1 : 0);
}

const peers = values.peers ? PEERS.filter((kind) => Server.isInstalled(kind)) : [];
const missing = values.peers ? PEERS.filter((kind) => !Server.isInstalled(kind)) : [];
for (const { name } of missing) console.log(`${name} is not installed: no figures of it`);

const scale = values.smoke ? SMOKE_SCALE : Number(values.scale);
const table = new FigureTable();
for (const program of chosen) {
  console.log(`\n=== ${program.name}: ${program.what}`);
  const others = watchOthers();
  await program.run({ servers: [MUNINN, ...peers], table, scale });
  const percent = others();
  table.endProgram(percent);
  console.log(`other programs took ${format(percent)} % of the machine meanwhile`);
}

console.log("");
for (const { id, unit, budget, values: byServer } of table.figures) {
  const ours = byServer.get(MUNINN.name) ?? Number.NaN;
  const verdict = budget === undefined ? "" : ours <= budget ? "  within budget" : "  OVER BUDGET";
  const all = [...byServer].map(([server, value]) => `${server} ${format(value)}`).join(" · ");
  console.log(
    `${id.padEnd(24)}${all} ${unit}${budget === undefined ? "" : ` · budget ${budget}`}${verdict}`,
  );
}
if (values.write) {
  if (scale !== 1) throw new Error("--write takes figures of full size only");
  const page = join(import.meta.dirname, "../docs/performance.md");
  updatePage(page, table.figures, new Date().toISOString().slice(0, 10));
  console.log(`\nwritten to ${page}`);
}

/** Call the result once all servers have ended: what others took since, in percent of all cores. */
function watchOthers(): () => number {
  const othersSeconds = (): number => machineCpuSeconds() - ownCpuSeconds();
  const beganSeconds = othersSeconds();
  const beganMs = performance.now();
  return () => {
    const coreSeconds = ((performance.now() - beganMs) / 1000) * availableParallelism();
    return Math.max(0, (100 * (othersSeconds() - beganSeconds)) / coreSeconds);
  };
}
