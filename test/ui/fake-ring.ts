/** A ring of real code behind the interface of its page: only the members are made up. */

import { reasonToKeep } from "../../src/ring/auto-forget.ts";
import type { RingDescriptor } from "../../src/ring/descriptor.ts";
import { whatIf } from "../../src/ring/impact.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { Ring } from "../../src/ring/ring.ts";
import { type RingStatus, ringStatus } from "../../src/ring/status.ts";
import type { InstanceImpact, RingEvent, RingPageSource } from "../../src/ui/ring/ring-source.ts";
import { grow, NOW_MS } from "../ring/fixture.ts";

const HEARTBEAT_TIMEOUT_MS = 60_000;

export interface FakeRingOptions {
  readonly name?: string;
  readonly instances: readonly Instance[];
  readonly replicationFactor?: number;
  readonly zoneAware?: boolean;
}

export class FakeRing implements RingPageSource {
  readonly name: string;
  nowMs = NOW_MS;
  readonly #ring: Ring;
  #descriptor: RingDescriptor = new Map();
  #events: RingEvent[] = [];

  constructor({
    name = "ingester",
    instances,
    replicationFactor = 3,
    zoneAware = false,
  }: FakeRingOptions) {
    this.name = name;
    this.#ring = new Ring({
      replicationFactor,
      zoneAware,
      heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
      shardsMax: 10,
    });
    this.#descriptor = new Map(instances.map((one) => [one.id, one]));
    this.#ring.update(this.#descriptor, this.nowMs);
  }

  /** Time goes on, and all but `silent` tell that they live. */
  pass(durationMs: number, silent: readonly string[] = []): void {
    this.nowMs += durationMs;
    for (const one of this.#descriptor.values()) {
      if (!silent.includes(one.id))
        this.change(one.id, { heartbeatMs: one.heartbeatMs + durationMs });
    }
  }

  change(id: string, changes: Partial<Instance>): void {
    const before = this.#descriptor.get(id);
    if (before === undefined) throw new Error(`no instance ${id}`);
    this.#descriptor = new Map(this.#descriptor).set(id, { ...before, ...changes });
    this.#ring.update(this.#descriptor, this.nowMs);
  }

  get ids(): string[] {
    return [...this.#descriptor.keys()];
  }

  status(): RingStatus {
    return ringStatus(this.#ring, this.nowMs);
  }

  tokensOf(id: string): Uint32Array {
    return this.#descriptor.get(id)?.tokens ?? new Uint32Array();
  }

  impactWithout(id: string): InstanceImpact {
    const view = this.#ring.refresh(this.nowMs);
    const member = view.members.find(({ instance }) => instance.id === id);
    if (member === undefined) throw new Error(`no instance ${id}`);
    return { impact: whatIf(view, id), reasonToKeep: reasonToKeep(view, member) };
  }

  forget(id: string): "forgotten" | "unknown" {
    const rest = new Map(this.#descriptor);
    if (!rest.delete(id)) return "unknown";
    this.#descriptor = rest;
    this.#ring.update(rest, this.nowMs);
    this.tell(`${id} was forgotten by hand`);
    return "forgotten";
  }

  tell(text: string): void {
    this.#events = [{ atMs: this.nowMs, text }, ...this.#events];
  }

  events(): readonly RingEvent[] {
    return this.#events;
  }
}

/** "ingester-zone-a-0" and so on, all well. */
export function fakeIngesters(
  count: number,
  {
    zones = 0,
    replicationFactor = 3,
  }: { readonly zones?: number; readonly replicationFactor?: number } = {},
): FakeRing {
  const names = Array.from({ length: zones }, (_, zone) => `zone-${"abcdef"[zone] ?? zone}`);
  const instances = grow({ count, ...(zones === 0 ? {} : { zones: names }) }).map(
    (one, index): Instance => {
      const id = `ingester-${one.zone === "" ? "" : `${one.zone}-`}${Math.floor(index / Math.max(1, zones))}`;
      return {
        ...one,
        id,
        address: `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}:9095`,
        heartbeatMs: NOW_MS - ((index * 773) % 5000),
        registeredAtMs: NOW_MS - 86_400_000 * (1 + (index % 9)),
        versions: { muninn: "0.1.0", replication_factor: String(replicationFactor) },
      };
    },
  );
  return new FakeRing({ instances, zoneAware: zones > 0, replicationFactor });
}
