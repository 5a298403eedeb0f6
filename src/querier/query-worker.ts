/**
 * What a thread of the querier's pool runs: the PromQL engine, whose result then moves to the main thread without a
 * copy (piscina moves only what is marked so).
 */
import { move, transferableSymbol, valueSymbol } from "piscina";
import runQuery, { type QueryJob } from "../promql/worker.ts";
import { moveThreadToBackground } from "../sys/thread-priority.ts";

// Pushes go first: see the function.
moveThreadToBackground();

export default function run(job: QueryJob): unknown {
  const answer = runQuery(job);
  if (!answer.ok) return answer;
  return move({ [transferableSymbol]: [answer.json.buffer], [valueSymbol]: answer });
}
