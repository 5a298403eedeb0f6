/**
 * A gossip node as a process that can be told things and killed: ours (test/gossip/gossip-node.ts) or one of
 * HashiCorp's memberlist library in Go (e2e/gossip-go). Both have the same flags, take the same commands on stdin and report
 * the same events on stdout, as JSON:
 *
 *   join HOST:PORT           join-done {count}
 *   members                  members {names, health}; ours also {probed}: who has answered a probe
 *   meta TEXT, state TEXT    new metadata; new user state for the next push/pull
 *   packet NODE TEXT         a user message by UDP (ours: gossiped)
 *   stream NODE TEXT         a user message by TCP
 *   leave                    leave-done
 *   at any time              ready, member-joined, member-updated, member-gone {node, meta}, message {text},
 *                            state {text}, probed {node} (Go only), error {text}; long texts as `shown` has them
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { pollUntil } from "./poll.ts";
import { freePort, Program } from "./program.ts";

const OUR_NODE = join(import.meta.dirname, "../../test/gossip/gossip-node.ts");
const GO_SOURCE = join(import.meta.dirname, "../gossip-go");
/** Where Debian puts Go libraries; another tree may hold a newer memberlist. */
const GO_PATH = process.env["GOSSIP_GO_PATH"] ?? "/usr/share/gocode";
export const GO_LIBRARY = join(GO_PATH, "src/github.com/hashicorp/memberlist");
/** Labels came with version 0.3.2. */
export const GO_HAS_LABELS = existsSync(join(GO_LIBRARY, "label.go"));

const WAIT_MS = 30_000;

export interface GossipEvent {
  readonly event: string;
  readonly node?: string;
  readonly meta?: string;
  /** Ours only. */
  readonly status?: string;
  readonly text?: string;
  readonly count?: number;
  readonly names?: readonly string[];
  readonly probed?: readonly string[];
  readonly health?: number;
}

/** How a node reports a text. */
export function shown(text: string): string {
  return text.length <= 200 ? text : `${text.length} bytes, CRC-32 ${crc32(text)}`;
}

/** Gives the path of the program. */
export async function buildGoNode(folder: string): Promise<string> {
  const program = join(folder, "gossip-go");
  const environment = {
    ...process.env,
    GO111MODULE: "off",
    GOPATH: GO_PATH,
    GOFLAGS: "",
    GOCACHE: join(folder, "go-cache"),
  };
  await promisify(execFile)("go", ["build", "-o", program, "."], {
    cwd: GO_SOURCE,
    env: environment,
  });
  return program;
}

export interface GossipNodeOptions {
  readonly name: string;
  /** Of a Go node: what `buildGoNode` gave. */
  readonly goProgram?: string;
  readonly flags?: readonly string[];
}

export class GossipNode implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly program: Program;

  private constructor(name: string, port: number, program: Program) {
    this.name = name;
    this.address = `127.0.0.1:${port}`;
    this.program = program;
  }

  static async start({ name, goProgram, flags = [] }: GossipNodeOptions): Promise<GossipNode> {
    const port = await freePort();
    const own = [`--name=${name}`, `--port=${port}`, ...flags];
    const program = new Program({
      name,
      command: goProgram ?? process.execPath,
      arguments: goProgram === undefined ? [OUR_NODE, ...own] : own,
      listens: true,
    });
    const node = new GossipNode(name, port, program);
    await node.heard(({ event }) => event === "ready");
    return node;
  }

  /** All that it has reported. */
  get events(): GossipEvent[] {
    const lines = this.program.output.split("\n").slice(0, -1);
    return lines
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as GossipEvent);
  }

  say(command: string): void {
    this.program.say(command);
  }

  /** Waits for `count` such events from number `from` on. */
  async heard(
    isMeant: (event: GossipEvent) => boolean,
    { count = 1, from = 0 } = {},
  ): Promise<GossipEvent> {
    return await pollUntil(`${this.name} to report ${String(isMeant)}`, WAIT_MS, () => {
      const found = this.events.slice(from).filter(isMeant)[count - 1];
      if (found !== undefined) return found;
      return undefined;
    }).catch((error: unknown) => {
      throw new Error(`${this.name} said:\n${this.program.output}`, { cause: error });
    });
  }

  /** Says a command and waits for its report. */
  async ask(command: string, reply: string): Promise<GossipEvent> {
    const from = this.events.length;
    this.say(command);
    return await this.heard(({ event }) => event === reply, { from });
  }

  async join(other: GossipNode): Promise<void> {
    const { count } = await this.ask(`join ${other.address}`, "join-done");
    if (count !== 1) throw new Error(`${this.name} did not join:\n${this.program.output}`);
  }

  /** Waits until it sees exactly these alive, besides itself. */
  async sees(...others: readonly GossipNode[]): Promise<void> {
    const wanted = [this, ...others].map(({ name }) => name).toSorted();
    await pollUntil(`${this.name} to see ${wanted.join()}`, WAIT_MS, async () => {
      const { names = [] } = await this.ask("members", "members");
      return names.toSorted().join() === wanted.join() ? true : undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.program.exit === undefined) await this.program.stop("SIGKILL");
  }
}
