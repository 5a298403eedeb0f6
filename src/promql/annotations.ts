import { position } from "./syntax-error.ts";

/** Warnings and infos of a query, each once, with the place in the query that they are about. */
export class Annotations {
  readonly #query: string;
  readonly #warnings = new Set<string>();
  readonly #infos = new Set<string>();

  constructor(query: string) {
    this.#query = query;
  }

  warn(message: string, at: { readonly from: number }): void {
    this.#warnings.add(`PromQL warning: ${message} (${position(this.#query, at.from)})`);
  }

  inform(message: string, at: { readonly from: number }): void {
    this.#infos.add(`PromQL info: ${message} (${position(this.#query, at.from)})`);
  }

  /** At most ten of each, as Prometheus' API answers. */
  warnings(): string[] {
    return shorten([...this.#warnings], "warning");
  }

  infos(): string[] {
    return shorten([...this.#infos], "info");
  }
}

const SHOWN_MAX = 10;

function shorten(messages: string[], kind: string): string[] {
  if (messages.length <= SHOWN_MAX) return messages;
  const omitted = messages.length - SHOWN_MAX;
  return [...messages.slice(0, SHOWN_MAX), `${omitted} more ${kind} annotations omitted`];
}
