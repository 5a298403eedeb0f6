/**
 * `npm run fuzz -- [--target intake|gossip] --runs N [--seed S] [--start I]`: N runs from number I on. A finding prints the
 * line that replays it and ends with exit code 1.
 */
import { randomInt } from "node:crypto";
import { inspect, parseArgs } from "node:util";
import { GossipTarget } from "./gossip-target.ts";
import { type FuzzVerdict, IntakeTarget } from "./intake-target.ts";

interface FuzzTarget {
  readonly runsPerBatch: number;
  run(index: number): FuzzVerdict | Promise<FuzzVerdict>;
}

const TARGETS: Readonly<Record<string, (seed: number) => FuzzTarget>> = {
  intake: (seed) => new IntakeTarget(seed),
  gossip: (seed) => new GossipTarget(seed),
};

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "intake" },
    runs: { type: "string", default: "20000" },
    seed: { type: "string" },
    start: { type: "string", default: "0" },
  },
});
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const runs = Number(values.runs);
const start = Number(values.start);
const target = TARGETS[values.target]?.(seed);
if (target === undefined) {
  console.error(`no target ${values.target}: there are ${Object.keys(TARGETS).join(", ")}`);
  process.exit(1);
}

console.log(`fuzz ${values.target}: ${runs} runs, seed ${seed}`);
const verdicts = { accepted: 0, refused: 0 };
for (let index = start; index < start + runs; index++) {
  try {
    verdicts[await target.run(index)]++;
  } catch (error) {
    const batchStart = index - (index % target.runsPerBatch);
    const from = `--start ${batchStart} --runs ${index - batchStart + 1}`;
    console.error(`run ${index} found something; replay with`);
    console.error(`  npm run fuzz -- --target ${values.target} --seed ${seed} ${from}`);
    console.error(inspect(error, { depth: 6 }));
    process.exit(1);
  }
}
console.log(`ok: ${verdicts.accepted} accepted, ${verdicts.refused} refused`);
if (runs >= 1000 && Math.min(verdicts.accepted, verdicts.refused) < runs / 10) {
  console.error("the generator no longer makes enough of both kinds");
  process.exit(1);
}
