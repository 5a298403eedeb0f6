/** Programs that this one starts. */
import { type ChildProcess as NodeChild, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export interface ChildCommand {
  readonly program: string;
  readonly arguments: readonly string[];
}

export interface ChildProcess {
  readonly pid: number;
  /** When it has ended and all its lines were told: "code 0", "signal SIGKILL". */
  readonly ended: Promise<ChildEnd>;
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

export interface ChildEnd {
  readonly code: number | undefined;
  readonly text: string;
}

/** Children get no signals from the terminal: Ctrl-C is for us alone, who pass it on. None outlives our exit. */
export class ChildProcesses {
  readonly #running = new Set<NodeChild>();

  constructor() {
    process.once("exit", () => {
      for (const child of this.#running) child.kill("SIGKILL");
    });
  }

  /** Lines of both output streams go to `onLine`. Rejects if the program cannot be started. */
  async start(command: ChildCommand, onLine: (line: string) => void): Promise<ChildProcess> {
    const child = spawn(command.program, command.arguments, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const ended = once(child, "close").then(([code, signal]: (string | number | null)[]) =>
      endOf(code, signal),
    );
    ended.catch(() => undefined);
    await once(child, "spawn");
    this.#running.add(child);
    void ended.finally(() => this.#running.delete(child));
    for (const stream of [child.stdout, child.stderr]) tellLines(stream, onLine);
    return { pid: child.pid ?? 0, ended, signal: (name) => void child.kill(name) };
  }
}

function tellLines(stream: Readable, onLine: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", onLine);
}

function endOf(code: unknown, signal: unknown): ChildEnd {
  if (typeof code === "number") return { code, text: `code ${code}` };
  return { code: undefined, text: `signal ${String(signal)}` };
}
