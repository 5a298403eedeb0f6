import { hostname } from "node:os";

/** The operating system's process: its signals, its last errors and its exit. */
export class ProcessHost {
  readonly pid: number = process.pid;
  /** Of the machine. */
  readonly name: string = hostname();

  /** Calls `run` for each of the two signals that ask a program to end, every time one comes. */
  onEndSignal(run: (signal: EndSignal) => void): void {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => run(signal));
  }

  /** What nobody caught: a bug. */
  onUncaught(run: (error: unknown) => void): void {
    process.on("uncaughtException", run);
    process.on("unhandledRejection", run);
  }

  /** Timers of the clock do not keep the process alive; this does, until the result is called. */
  stayAlive(): () => void {
    const timer = setInterval(() => undefined, 0x7fff_ffff);
    return () => clearInterval(timer);
  }

  exit(code: number): never {
    process.exit(code);
  }
}

export type EndSignal = "SIGTERM" | "SIGINT";

/** What a shell reports for a program that the signal ended: 128 + its number. */
export const SIGNAL_EXIT_CODES: Readonly<Record<EndSignal, number>> = { SIGINT: 130, SIGTERM: 143 };
