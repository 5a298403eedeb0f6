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
    const closed = once(child, "close") as Promise<[number | null, string | null]>;
    const told = [child.stdout, child.stderr].map((stream) => tellLines(stream, onLine));
    const ended = Promise.all([closed, ...told]).then(([[code, signal]]) => endOf(code, signal));
    // A program that cannot be started never closes: that is what the next line rejects with.
    ended.catch(() => undefined);
    await once(child, "spawn");
    this.#running.add(child);
    void ended.finally(() => this.#running.delete(child));
    return { pid: child.pid ?? 0, ended, signal: (name) => void child.kill(name) };
  }
}

/** Until the last line. */
async function tellLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("line", onLine);
  await once(lines, "close");
}

function endOf(code: number | null, signal: string | null): ChildEnd {
  return code === null
    ? { code: undefined, text: `signal ${signal}` }
    : { code, text: `code ${code}` };
}
