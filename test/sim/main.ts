/**
 * `npm run sim -- --seed S --runs N`: whole clusters in this process, on virtual time, with everything that can go wrong. A
 * failing seed replays exactly: `npm run sim -- --seed S --verbose`.
 */
import { parseArgs } from "node:util";
import type { LogFields, Logger } from "../../src/base/logger.ts";
import { planRun } from "./plan.ts";
import { run } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    runs: { type: "string", default: "1" },
    verbose: { type: "boolean", default: false },
  },
});

class ConsoleLogger implements Logger {
  readonly #isOn: boolean;
  readonly #fields: LogFields;

  constructor(isOn: boolean, fields: LogFields = {}) {
    this.#isOn = isOn;
    this.#fields = fields;
  }

  debug(): void {}

  info(fields: LogFields, message: string): void {
    this.#write("info", fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#write("warn", fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#write("error", fields, message);
  }

  child(fields: LogFields): Logger {
    return new ConsoleLogger(this.#isOn, { ...this.#fields, ...fields });
  }

  #write(level: string, fields: LogFields, message: string): void {
    if (!this.#isOn) return;
    console.log(level, message, JSON.stringify({ ...this.#fields, ...fields }));
  }
}

const first = Number(values.seed);
const count = Number(values.runs);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1) {
  console.error("usage: npm run sim -- --seed S --runs N [--verbose]");
  process.exit(2);
}
const logger = new ConsoleLogger(values.verbose);
const failed: number[] = [];
const sum = { acknowledged: 0, failedPushes: 0, reads: 0, failedReads: 0, virtualMs: 0, faults: 0 };
const beganMs = performance.now();
for (let seed = first; seed < first + count; seed++) {
  const report = await run(seed, logger);
  sum.acknowledged += report.acknowledged;
  sum.failedPushes += report.failedPushes;
  sum.reads += report.reads;
  sum.failedReads += report.failedReads;
  sum.virtualMs += report.virtualMs;
  sum.faults += report.plan.faults.length;
  if (report.faults.length > 0) {
    failed.push(seed);
    console.error(`seed ${seed} failed:`);
    for (const fault of report.faults.slice(0, 10)) console.error(`  ${fault}`);
    console.error(`  plan: ${JSON.stringify(planRun(seed))}`);
  }
  const done = seed - first + 1;
  if (done % 100 === 0) console.log(`${done} of ${count} runs, ${failed.length} failed`);
}
const seconds = (performance.now() - beganMs) / 1000;
console.log(
  `${count} runs in ${seconds.toFixed(1)} s (${(sum.virtualMs / 3_600_000).toFixed(1)} h of virtual time), ${sum.faults} faults struck: ` +
    `${sum.acknowledged} samples acknowledged, ${sum.failedPushes} pushes failed and were retried, ${sum.reads} queries checked, ${sum.failedReads} queries refused`,
);
if (failed.length > 0) {
  console.error(
    `${failed.length} failed: replay with npm run sim -- --seed ${failed[0]} --verbose`,
  );
  process.exit(1);
}
