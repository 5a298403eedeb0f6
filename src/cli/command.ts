/** What a sub-command of the program gets, and how it ends. */
import type { Clock } from "../base/clock.ts";
import type { HttpClient } from "../sys/http-client.ts";

export interface CommandMachine {
  readonly clock: Clock;
  readonly http: HttpClient;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whole lines, without the line end: what was asked for, and what there is to say about it. */
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

export const EXIT = {
  ok: 0,
  /** The answer is no: something is wrong with the ring, or what was asked was refused. */
  refused: 1,
  /** The question could not be answered: wrong words, or nobody who answers. */
  failed: 2,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a sub-command with status 2: the message is for the person who typed it, and is all that is said. */
export class CommandError extends Error {
  override name = "CommandError";
}
