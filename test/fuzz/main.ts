/**
 * `npm run fuzz -- --runs N [--seed S] [--start I]`: N runs from number I on. A finding prints the line that
 * replays it and ends with exit code 1.
 */
import { randomInt } from "node:crypto";
import { inspect, parseArgs } from "node:util";
import { IntakeTarget, RUNS_PER_BATCH } from "./intake-target.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "20000" },
    seed: { type: "string" },
    start: { type: "string", default: "0" },
  },
});
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const runs = Number(values.runs);
const start = Number(values.start);

console.log(`fuzz intake: ${runs} runs, seed ${seed}`);
const target = new IntakeTarget(seed);
const verdicts = { accepted: 0, refused: 0 };
for (let index = start; index < start + runs; index++) {
  try {
    verdicts[target.run(index)]++;
  } catch (error) {
    const batchStart = index - (index % RUNS_PER_BATCH);
    console.error(`run ${index} found something; replay with`);
    console.error(
      `  npm run fuzz -- --seed ${seed} --start ${batchStart} --runs ${index - batchStart + 1}`,
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
