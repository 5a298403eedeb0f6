import { Counter, Gauge, type Registry } from "prom-client";

/** Metrics of all rings of a process, under Mimir's names where it has them. */
export interface RingMetrics {
  readonly heartbeats: Counter<"name">;
  readonly forgotten: Counter<"name" | "reason">;
  /** Shows what this ring holds at each scrape. */
  watch(name: string, state: () => RingGauges): void;
}

export interface RingGauges {
  /** By state as people see it, "Unhealthy" included. */
  readonly members: ReadonlyMap<string, number>;
  /** Oldest heartbeat by state, Unix seconds. */
  readonly oldestSeconds: ReadonlyMap<string, number>;
  readonly tokens: number;
  readonly readOnly: number;
}

export function newRingMetrics(registry: Registry): RingMetrics {
  const registers = [registry];
  const rings = new Map<string, () => RingGauges>();
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    show: (gauge: Gauge<Label>, ring: string, state: RingGauges) => void,
  ): Gauge<Label> =>
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        this.reset();
        for (const [ring, state] of rings) show(this, ring, state());
      },
    });
  gauge(
    "cortex_ring_members",
    "Members of the ring, by state.",
    ["name", "state"],
    (g, name, s) => {
      for (const [state, count] of s.members) g.set({ name, state }, count);
    },
  );
  gauge(
    "cortex_ring_oldest_member_timestamp",
    "Time of the oldest heartbeat of members in the state.",
    ["name", "state"],
    (g, name, s) => {
      for (const [state, seconds] of s.oldestSeconds) g.set({ name, state }, seconds);
    },
  );
  gauge("cortex_ring_tokens_total", "Tokens in the ring.", ["name"], (g, name, s) =>
    g.set({ name }, s.tokens),
  );
  gauge(
    "cortex_lifecycler_read_only",
    "1 while this instance is read-only in the ring.",
    ["name"],
    (g, name, s) => g.set({ name }, s.readOnly),
  );
  return {
    heartbeats: new Counter({
      name: "cortex_member_ring_heartbeats_total",
      help: "Heartbeats that this process has sent.",
      labelNames: ["name"],
      registers,
    }),
    forgotten: new Counter({
      name: "cortex_ring_forgotten_members_total",
      help: "Members that this process took out of the ring: by itself (auto-forget) or because a person asked.",
      labelNames: ["name", "reason"],
      registers,
    }),
    watch: (name, state) => void rings.set(name, state),
  };
}
