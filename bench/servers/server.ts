/** What a benchmark needs of a server, ours or a peer's. */
import { temporaryFolder } from "../../e2e/harness/folder.ts";
import { pollUntil } from "../../e2e/harness/poll.ts";
import { freePort, Program } from "../../e2e/harness/program.ts";
import { Api } from "../../e2e/harness/query.ts";
import { findProgram } from "../../e2e/harness/requirements.ts";
import { cpuSeconds, residentBytes } from "../process-usage.ts";

export interface ServerKind {
  /** Also the column of the results table. */
  readonly name: string;
  readonly program: string;
  readonly writePath: string;
  /** Before /api/v1. */
  readonly queryPrefix: string;
  readonly readyPath: string;
  readonly tenant?: string;
  /** Further parameters of a query, to keep results caches out of it. */
  readonly queryParameters?: Readonly<Record<string, string>>;
  /** Below the data folder; absent: it has none. */
  readonly walFolder?: string;
  arguments(folder: string, port: number): Promise<string[]>;
}

const READY_TIMEOUT_MS = 120_000;

export class Server implements AsyncDisposable {
  readonly kind: ServerKind;
  readonly folder: string;
  #program: Program;
  #port: number;
  readonly #removeFolder: () => PromiseLike<void>;

  private constructor(
    kind: ServerKind,
    place: { folder: string; removeFolder: () => PromiseLike<void> },
    started: { program: Program; port: number },
  ) {
    this.kind = kind;
    this.folder = place.folder;
    this.#removeFolder = place.removeFolder;
    this.#program = started.program;
    this.#port = started.port;
  }

  static async start(kind: ServerKind): Promise<Server> {
    const folder = await temporaryFolder("bench");
    const removeFolder = (): PromiseLike<void> => folder[Symbol.asyncDispose]();
    const server = new Server(
      kind,
      { folder: folder.path, removeFolder },
      await spawn(kind, folder.path),
    );
    await server.ready();
    return server;
  }

  static isInstalled(kind: ServerKind): boolean {
    return kind.program === process.execPath || findProgram(kind.program) !== undefined;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get writeUrl(): string {
    return this.url + this.kind.writePath;
  }

  get api(): Api {
    return new Api(this.url + this.kind.queryPrefix, this.kind.tenant);
  }

  cpuSeconds(): number {
    return cpuSeconds(this.#program.pid);
  }

  residentBytes(): number {
    return residentBytes(this.#program.pid);
  }

  async kill(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }

  /** Starts it again on the same data; does not wait until it is ready. */
  async restart(): Promise<void> {
    const { program, port } = await spawn(this.kind, this.folder);
    this.#program = program;
    this.#port = port;
  }

  async ready(): Promise<void> {
    await pollUntil(`${this.kind.name} to be ready`, READY_TIMEOUT_MS, async () => {
      if (this.#program.exit !== undefined) return true;
      return (await fetch(this.url + this.kind.readyPath)).ok ? true : undefined;
    });
    if (this.#program.exit !== undefined) {
      throw new Error(`${this.kind.name} ended early:\n${this.#program.output}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop("SIGKILL");
    await this.#removeFolder();
  }
}

async function spawn(
  kind: ServerKind,
  folder: string,
): Promise<{ program: Program; port: number }> {
  const port = await freePort();
  const program = new Program({
    name: kind.name,
    command: kind.program,
    arguments: await kind.arguments(folder, port),
  });
  return { program, port };
}
