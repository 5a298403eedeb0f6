/** One node of the cluster: started, asked whether it is ready, started anew if it dies, and stopped. */
import type { Clock } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type {
  ChildCommand,
  ChildEnd,
  ChildProcess,
  ChildProcesses,
} from "../../sys/child-processes.ts";
import type { HttpClient } from "../../sys/http-client.ts";
import { HOST, type NodePlan } from "./plan.ts";

export interface NodeMachine {
  readonly clock: Clock;
  readonly http: HttpClient;
  readonly processes: Pick<ChildProcesses, "start">;
  /** The program and the words before a node's flags. */
  readonly launcher: ChildCommand;
  /** Lines of the node, and lines about it. */
  readonly say: (line: string) => void;
}

export interface NodeOptions {
  readonly restart: boolean;
  /** It ended and nobody asked it to; not called if it is started again. */
  readonly onDeath: (node: NodeProcess) => void;
}

const READY_TIMEOUT_MS = 2000;
const RESTART_DELAY_MS = 1000;

export class NodeProcess {
  readonly plan: NodePlan;
  readonly #machine: NodeMachine;
  readonly #options: NodeOptions;
  #child: ChildProcess | undefined;
  #end: ChildEnd | undefined;
  #isStopping = false;

  constructor(plan: NodePlan, machine: NodeMachine, options: NodeOptions) {
    this.plan = plan;
    this.#machine = machine;
    this.#options = options;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** How the last process of it ended; undefined while one runs. */
  get end(): ChildEnd | undefined {
    return this.#end;
  }

  get url(): string {
    return `http://${HOST}:${this.plan.httpPort}`;
  }

  async start(): Promise<void> {
    const { processes, launcher, say } = this.#machine;
    const command = {
      program: launcher.program,
      arguments: [...launcher.arguments, ...this.plan.flags],
    };
    const child = await processes.start(command, (line) => say(`${this.plan.name} | ${line}`));
    this.#child = child;
    this.#end = undefined;
    void child.ended.then((end) => this.#onEnd(end));
  }

  /** Undefined: it is ready. Else what it says, or why it does not answer. */
  async whyNotReady(): Promise<string | undefined> {
    if (this.#end !== undefined) return `ended with ${this.#end.text}`;
    try {
      const { status, body } = await this.#machine.http.request({
        method: "GET",
        url: `${this.url}/ready`,
        accept: "text/plain",
        timeoutMs: READY_TIMEOUT_MS,
      });
      return status === 200 ? undefined : (body.split("\n", 1)[0] ?? "");
    } catch (error) {
      return errorMessage(error);
    }
  }

  /** Ends it as SIGTERM does; after `timeoutMs` by force. */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopping = true;
    const child = this.#child;
    if (child === undefined || this.#end !== undefined) return;
    child.signal("SIGTERM");
    const timer = this.#machine.clock.after(timeoutMs, () => {
      this.#machine.say(`${this.plan.name} does not stop: it is killed`);
      child.signal("SIGKILL");
    });
    this.#end = await child.ended;
    timer.cancel();
  }

  kill(): void {
    this.#isStopping = true;
    if (this.#end === undefined) this.#child?.signal("SIGKILL");
  }

  #onEnd(end: ChildEnd): void {
    this.#end = end;
    if (this.#isStopping) return;
    const { say, clock } = this.#machine;
    const next = this.#options.restart ? "; it is started again" : "";
    say(`${this.plan.name} (pid ${this.pid}) ended with ${end.text}${next}`);
    if (!this.#options.restart) return this.#options.onDeath(this);
    clock.after(RESTART_DELAY_MS, () => {
      if (!this.#isStopping) void this.#restart();
    });
  }

  async #restart(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      this.#machine.say(`${this.plan.name} does not start: ${errorMessage(error)}`);
      this.#options.onDeath(this);
    }
  }
}
