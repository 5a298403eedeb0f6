/**
 * One Muninn process without the process: everything built, started and stopped, on the machine it is given. Tests
 * run several of them side by side.
 */
import type { Registry } from "prom-client";
import type { Config } from "../config/config.ts";
import type { Readiness, ServiceView, TenantView } from "../ui/views.ts";
import { BUILD } from "./build.ts";
import type { Machine } from "./machine.ts";
import { newRegistry } from "./metrics.ts";
import { type BuiltModule, buildModules, inOrderOfNeed, type Overview } from "./module.ts";
import { modules, type Parts } from "./modules.ts";
import { partsOf } from "./targets.ts";

export class App implements Overview {
  readonly registry: Registry;
  readonly parts: Partial<Parts>;
  readonly #machine: Machine;
  readonly #built: readonly BuiltModule[];
  readonly #warnings: readonly string[];
  #stopping = false;

  /**
   * `warnings`: of the configuration, for the first page and /ready; the log has them already. `explicit`: YAML paths of
   * the options that the operator has set.
   */
  constructor(
    config: Config,
    machine: Machine,
    warnings: readonly string[] = [],
    explicit: ReadonlySet<string> = new Set(),
  ) {
    const wanted = partsOf(config.target);
    this.#warnings = warnings;
    this.#machine = machine;
    this.registry = newRegistry(BUILD, config.target.join(","));
    const { built, parts } = buildModules(inOrderOfNeed(modules, wanted), {
      config,
      explicit,
      machine,
      registry: this.registry,
      overview: this,
    });
    this.#built = built;
    this.parts = parts;
  }

  /** Returns early, without an error, if `stop` is called meanwhile. A failure leaves what had started running: call `stop`. */
  async start(): Promise<void> {
    for (const { service } of this.#built) {
      if (this.#stopping) return;
      await service.start();
    }
  }

  /**
   * Stops what runs, in reverse, and discards what never ran; a part that is still starting is left alone: it has
   * acknowledged nothing. One that fails to stop does not keep the others from it. The first failure is thrown at the end.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    const failures: unknown[] = [];
    for (const { service, discard } of this.#built.toReversed()) {
      try {
        if (service.state === "running") await service.stop();
        else if (service.state === "new") await discard();
      } catch (error) {
        failures.push(error);
        this.#machine.logger.error({ service: service.name, err: error }, "service failed to stop");
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  readonly services = (): readonly ServiceView[] =>
    this.#built.map(({ service: { name, state, failure } }) => ({ name, state, failure }));

  readonly readiness = (): Readiness => {
    const reasons = this.#built
      .filter(({ service }) => service.state !== "running")
      .map((module) => describe(module));
    const unready = this.parts.ingester?.life.unready;
    if (unready !== undefined) reasons.push(unready);
    if (this.#stopping) reasons.unshift("the process is shutting down");
    return { isReady: reasons.length === 0, reasons };
  };

  readonly notices = (): readonly string[] => {
    const { objectStorage, ingester } = this.parts;
    const blocked = ingester?.ingester.status.blocked;
    return [
      ...this.#warnings,
      ...(objectStorage?.notice === undefined ? [] : [objectStorage.notice]),
      ...(blocked === undefined ? [] : [`pushes are refused: ${blocked}`]),
    ];
  };

  readonly tenants = (): readonly TenantView[] => {
    const { ingester, distributor } = this.parts;
    const sending = distributor?.status().tenants;
    return (ingester?.ingester.status.tenants ?? []).map((status) => ({
      tenant: status.tenant,
      seriesCount: status.seriesCount,
      samplesCount: sending?.get(status.tenant)?.counts.samplesReceived ?? 0,
      minTimeMs: status.minTimeMs,
      maxTimeMs: status.maxTimeMs,
      memoryBytes: status.memoryBytes,
    }));
  };

  readonly whyStarting = (): string => {
    const starting = this.#built.find(({ service }) => service.state === "starting");
    return starting === undefined ? "the process is starting" : describe(starting);
  };
}

/** "ingester is starting: replaying WAL: segment 3 of 7, 41 %". */
function describe({ service, progress }: BuiltModule): string {
  const { name, state, failure } = service;
  if (state === "failed") return `${name} has failed: ${failure ?? ""}`;
  const details = state === "starting" ? progress() : undefined;
  return `${name} is ${state === "new" ? "waiting to start" : state}${details === undefined ? "" : `: ${details}`}`;
}
