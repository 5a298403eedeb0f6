import { errorMessage, OpError } from "../base/errors.ts";
import { QueryKernel } from "../kernel/host/query-kernel.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import { evaluate } from "./engine.ts";
import { parseExpr } from "./parser.ts";
import { planQuery } from "./plan.ts";
import { resultJson } from "./result-json.ts";

/**
 * The entry of query worker threads (piscina). A job carries the text of the query, which was parsed and planned by the
 * caller to find what to select, and is parsed again here: trees with identity do not travel, texts do, and parsing
 * takes microseconds. Sets may be transferred (`transferList` of storage/encoded-series.ts). To stop a query that
 * takes too long, abort the task: piscina then ends the thread, and the memory with it.
 */
export interface QueryJob {
  readonly query: string;
  readonly startMs: number;
  /** Equal to `startMs` for an instant query. */
  readonly endMs: number;
  /** 0: an instant query. */
  readonly stepMs: number;
  readonly lookbackMs: number;
  /** Resolution of subqueries that name none. */
  readonly subqueryStepMs: number;
  readonly delayedNameRemoval: boolean;
  readonly durationExpressions: boolean;
  readonly experimentalFunctions: readonly string[];
  readonly limits: { readonly samplesMax: number };
  /** One per selector of the plan, in its order. */
  readonly sets: readonly EncodedSeriesSet[];
}

export type QueryAnswer = QuerySuccess | QueryFailure;

export interface QuerySuccess {
  readonly ok: true;
  /** The `data` object of the API's answer, UTF-8. */
  readonly json: Uint8Array;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly stats: { readonly peakSamples: number; readonly decodedSamples: number };
}

export interface QueryFailure {
  readonly ok: false;
  readonly kind: "bad-data" | "execution" | "not-implemented" | "internal";
  readonly message: string;
}

/** One kernel a thread. It is made anew when a query has left it with a large memory. */
let kernel: QueryKernel | undefined;

const KERNEL_BYTES_KEPT = 64 << 20;

export default function runQuery(job: QueryJob): QueryAnswer {
  try {
    kernel ??= new QueryKernel();
    const expr = parseExpr(job.query, job);
    const plan = planQuery(expr, job);
    const { data, warnings, infos, stats } = evaluate(
      job.query,
      plan,
      job.sets,
      kernel,
      job.limits,
    );
    const decodedSamples = kernel.takeDecodedSamples();
    return {
      ok: true,
      json: resultJson(data),
      warnings,
      infos,
      stats: { ...stats, decodedSamples },
    };
  } catch (error) {
    return { ok: false, ...classify(error) };
  } finally {
    kernel?.release();
    if ((kernel?.memoryBytes ?? 0) > KERNEL_BYTES_KEPT) kernel = undefined;
  }
}

function classify(error: unknown): { kind: QueryFailure["kind"]; message: string } {
  const message = errorMessage(error);
  if (!(error instanceof OpError)) return { kind: "internal", message };
  switch (error.code) {
    case "bad-data":
    case "execution":
    case "not-implemented":
      return { kind: error.code, message };
    default:
      return { kind: "internal", message };
  }
}
