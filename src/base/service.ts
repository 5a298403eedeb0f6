import { errorMessage } from "./errors.ts";

/**
 * Something with a life:
 *
 *     new ──► starting ──► running ──► stopping ──► terminated
 *                │            │            │
 *                └────────────┴────────────┴──────► failed
 *
 * `start` returns once it is running; `stop` once nothing of it is left. Both may be called once.
 */
export type ServiceState = "new" | "starting" | "running" | "stopping" | "terminated" | "failed";

export interface ServiceSteps {
  start?(): Promise<void>;
  stop?(): Promise<void>;
}

export class Service {
  readonly name: string;
  readonly #steps: ServiceSteps;
  #state: ServiceState = "new";
  #failure: string | undefined;

  constructor(name: string, steps: ServiceSteps) {
    this.name = name;
    this.#steps = steps;
  }

  get state(): ServiceState {
    return this.#state;
  }

  /** Why it is "failed". */
  get failure(): string | undefined {
    return this.#failure;
  }

  async start(): Promise<void> {
    this.#state = "starting";
    await this.#step(() => this.#steps.start?.());
    this.#state = "running";
  }

  async stop(): Promise<void> {
    if (this.#state === "new" || this.#state === "terminated") return;
    this.#state = "stopping";
    await this.#step(() => this.#steps.stop?.());
    this.#state = "terminated";
  }

  async #step(step: () => Promise<void> | undefined): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#state = "failed";
      this.#failure = errorMessage(error);
      throw error;
    }
  }
}
