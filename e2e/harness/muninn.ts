/** Muninn as its users have it: bin/muninn.js with flags, spoken to over HTTP. */
import { join } from "node:path";
import { Agent, request } from "undici";
import { pollUntil } from "./poll.ts";
import { type Exit, freePort, Program } from "./program.ts";
import { encodeBody, type Series, WRITE_HEADERS } from "./remote-write.ts";

const LAUNCHER = join(import.meta.dirname, "../../bin/muninn.js");
const READY_TIMEOUT_MS = 60_000;

export interface MuninnOptions {
  readonly dataDirectory: string;
  /** Beyond -data-dir and the address, e.g. "-ingester.out-of-order-time-window=5m". */
  readonly flags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** Where it listens and is spoken to; 127.0.0.1 if not given. */
  readonly host?: string;
  /** Words before the command: `ip netns exec name`. */
  readonly within?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface RequestOptions {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly tenant?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export class Muninn implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly program: Program;
  readonly #agent = new Agent({ connections: 16, headersTimeout: 60_000, bodyTimeout: 60_000 });

  private constructor(program: Program, host: string, port: number) {
    this.program = program;
    this.port = port;
    this.url = `http://${host}:${port}`;
  }

  /** Starts it and returns at once. */
  static async launch(options: MuninnOptions): Promise<Muninn> {
    const { host = "127.0.0.1", within = [] } = options;
    const port = options.port ?? (await freePort());
    const [command, ...words] = [...within, process.execPath];
    const program = new Program({
      name: "muninn",
      command,
      arguments: [
        ...words,
        LAUNCHER,
        `-data-dir=${options.dataDirectory}`,
        `-server.http-listen-address=${host}`,
        `-server.http-listen-port=${port}`,
        ...(options.flags ?? []),
      ],
      ...(options.environment !== undefined && { environment: options.environment }),
    });
    return new Muninn(program, host, port);
  }

  /** Starts it and waits until it says that it is ready. */
  static async start(options: MuninnOptions): Promise<Muninn> {
    const muninn = await Muninn.launch(options);
    await muninn.ready();
    return muninn;
  }

  async ready(): Promise<void> {
    await pollUntil("muninn to be ready", READY_TIMEOUT_MS, async () => {
      if (this.program.exit !== undefined) return "ended";
      const answer = await this.request("/ready");
      return answer.status === 200 ? "ready" : undefined;
    }).then((state) => {
      if (state === "ended") throw new Error(`muninn ended early:\n${this.program.output}`);
    });
  }

  async request(path: string, options: RequestOptions = {}): Promise<Answer> {
    const { statusCode, headers, body } = await request(this.url + path, {
      dispatcher: this.#agent,
      method: options.method ?? "GET",
      headers: {
        ...(options.tenant !== undefined && { "x-scope-orgid": options.tenant }),
        ...options.headers,
      },
      body: options.body ?? null,
    });
    return { status: statusCode, headers, body: await body.text() };
  }

  async push(tenant: string, series: readonly Series[]): Promise<Answer> {
    return await this.pushBody(tenant, encodeBody(series));
  }

  async pushBody(
    tenant: string | undefined,
    body: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return await this.request("/api/v1/push", {
      method: "POST",
      tenant,
      headers: { ...WRITE_HEADERS, ...headers },
      body,
    });
  }

  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    return this.program.stop(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.program.exit === undefined) await this.stop("SIGKILL");
    await this.#agent.destroy();
  }
}
