/** One number of one server, with the budget of design.md section 12 that it is measured against. */
export interface Row {
  /** Stable: rows of docs/performance.md are found by it. */
  readonly id: string;
  readonly what: string;
  readonly unit: string;
  /** At most this; absent where there is no budget of ours. */
  readonly budget?: number;
}

export interface Figure extends Row {
  /** By server name. */
  readonly values: ReadonlyMap<string, number>;
  /** What other programs took of the machine meanwhile: above a few percent, latencies mean little. */
  readonly othersPercent: number;
}

/** Puts what several servers measured for the same rows side by side. */
export class FigureTable {
  readonly #rows = new Map<
    string,
    { row: Row; values: Map<string, number>; othersPercent: number }
  >();

  add(server: string, row: Row, value: number): void {
    const entry = this.#rows.get(row.id) ?? {
      row,
      values: new Map<string, number>(),
      othersPercent: Number.NaN,
    };
    entry.values.set(server, value);
    this.#rows.set(row.id, entry);
    console.log(`${row.id}: ${server}: ${format(value)} ${row.unit}`);
  }

  /** For the rows that have none yet: those of the program that just ended. */
  endProgram(othersPercent: number): void {
    for (const entry of this.#rows.values()) {
      if (Number.isNaN(entry.othersPercent)) entry.othersPercent = othersPercent;
    }
  }

  get figures(): Figure[] {
    return [...this.#rows.values()].map(({ row, ...measured }) => ({ ...row, ...measured }));
  }
}

export function format(value: number): string {
  if (Number.isNaN(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
