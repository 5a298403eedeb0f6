/** A benchmark program: measures one server after the other with the same load. */
import type { FigureTable } from "../figure.ts";
import type { ServerKind } from "../servers/server.ts";

export interface BenchContext {
  readonly servers: readonly ServerKind[];
  readonly table: FigureTable;
  /** Multiplies the size of the load; 1 is the size of the budgets, --smoke is about a hundredth. */
  readonly scale: number;
}

export interface BenchProgram {
  readonly name: string;
  readonly what: string;
  run(context: BenchContext): Promise<void>;
}

/** A size at the scale, at least `least`. */
export function scaled(full: number, scale: number, least: number): number {
  return Math.max(least, Math.round(full * scale));
}
