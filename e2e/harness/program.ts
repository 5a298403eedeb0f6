/**
 * A program under test: started as a user would, its output kept, and never left behind, whatever becomes
 * of the test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

/** Enough to see why something failed, little enough to print. */
const OUTPUT_KEPT_CHARACTERS = 200_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  /** Added to the environment of the test. */
  readonly environment?: Readonly<Record<string, string>>;
  /** It is told what to do on stdin: see `say`. */
  readonly listens?: boolean;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Program {
  readonly name: string;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #output = "";
  #exit: Exit | undefined;

  constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#child = spawn(options.command, options.arguments, {
      stdio: [options.listens === true ? "pipe" : "ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.environment },
    });
    running.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_KEPT_CHARACTERS);
      });
    }
    // "close" in place of "exit": all output has been read by then.
    this.exited = once(this.#child, "close").then(([code, signal]) => {
      running.delete(this.#child);
      this.#exit = { code: code as number | null, signal: signal as NodeJS.Signals | null };
      return this.#exit;
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.#child.pid;
  }

  /** What it wrote to stdout and stderr. */
  get output(): string {
    return this.#output;
  }

  /** Set once it has ended. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** A line on its stdin. */
  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    if (this.#exit === undefined) this.signal(signal);
    return await this.exited;
  }
}

/** A port that nothing listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
