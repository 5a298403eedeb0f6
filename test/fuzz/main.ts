/**
 * `npm run fuzz -- --runs N [--seed S] [--start I] [--target NAME]`: N runs from number I on, of one target or of each
 * (of slow ones a tenth). A finding prints the line that replays it and ends with exit code 1.
 */
import { randomInt } from "node:crypto";
import { inspect, parseArgs } from "node:util";
import { GossipTarget } from "./gossip-target.ts";
import { IntakeTarget } from "./intake-target.ts";
import { PushFrameTarget } from "./push-frame-target.ts";
import { type FuzzTarget, RUNS_PER_BATCH } from "./target.ts";

const TARGETS: Readonly<Record<string, new (seed: number) => FuzzTarget>> = {
  intake: IntakeTarget,
  "push-frame": PushFrameTarget,
  gossip: GossipTarget,
};
const SLOW = ["gossip"];

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "20000" },
    seed: { type: "string" },
    start: { type: "string", default: "0" },
    target: { type: "string" },
  },
});
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const runsWanted = Number(values.runs);
const start = Number(values.start);

for (const [name, Target] of Object.entries(TARGETS)) {
  if (values.target === name) await fuzz(name, new Target(seed), runsWanted);
  if (values.target !== undefined) continue;
  await fuzz(name, new Target(seed), SLOW.includes(name) ? Math.ceil(runsWanted / 10) : runsWanted);
}

async function fuzz(name: string, target: FuzzTarget, runs: number): Promise<void> {
  console.log(`fuzz ${name}: ${runs} runs, seed ${seed}`);
  const verdicts = { accepted: 0, refused: 0 };
  for (let index = start; index < start + runs; index++) {
    try {
      verdicts[await target.run(index)]++;
    } catch (error) {
      const batchStart = index - (index % RUNS_PER_BATCH);
      const length = index - batchStart + 1;
      console.error(`run ${index} found something; replay with`);
      console.error(
        `  npm run fuzz -- --target ${name} --seed ${seed} --start ${batchStart} --runs ${length}`,
      );
      console.error(inspect(error, { depth: 6 }));
      process.exit(1);
    }
  }
  console.log(`ok: ${verdicts.accepted} accepted, ${verdicts.refused} refused`);
  if (runs >= 1000 && Math.min(verdicts.accepted, verdicts.refused) < runs / 10) {
    console.error("the generator no longer makes enough of both kinds");
    process.exit(1);
  }
}
