import { Counter, Gauge, type Registry } from "prom-client";

/** Metrics of the key-value store, under Mimir's names. */
export interface KvState {
  readonly keyCount: number;
  readonly queue: { readonly length: number; readonly sizeBytes: number; readonly dropped: number };
  readonly tombstones: ReadonlyMap<string, number>;
}

export interface KvMetrics {
  readonly casAttempts: Counter;
  readonly casSuccesses: Counter;
  readonly casFailures: Counter;
  readonly received: Counter;
  readonly receivedBytes: Counter;
  readonly receivedInvalid: Counter;
  readonly pulls: Counter;
  readonly pullsBytes: Counter;
  readonly pushes: Counter;
  readonly pushesBytes: Counter;
  readonly tombstonesRemoved: Counter<"key">;
}

/** "collectors/ring" as it is; of keys with more parts, of which there may be many, the first part: "ha-tracker". */
export function metricKey(key: string): string {
  const [first = "", , third] = key.split("/", 3);
  return third === undefined ? key : first;
}

export function newKvMetrics(registry: Registry, state: () => KvState): KvMetrics {
  registerGauges(registry, state);
  const registers = [registry];
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
  return {
    casAttempts: counter("memberlist_client_cas_attempt_total", "Updates that were tried."),
    casSuccesses: counter("memberlist_client_cas_success_total", "Updates that changed a value."),
    casFailures: counter("memberlist_client_cas_failure_total", "Updates that threw."),
    received: counter(
      "memberlist_client_received_broadcasts_total",
      "Values that came in by gossip.",
    ),
    receivedBytes: counter(
      "memberlist_client_received_broadcasts_bytes_total",
      "Bytes of the messages that came in by gossip.",
    ),
    receivedInvalid: counter(
      "memberlist_client_received_broadcasts_invalid_total",
      "Messages and values that came in and make no sense here.",
    ),
    pulls: counter("memberlist_client_state_pulls_total", "Whole states that came in."),
    pullsBytes: counter("memberlist_client_state_pulls_bytes_total", "Bytes of these states."),
    pushes: counter("memberlist_client_state_pushes_total", "Whole states that went out."),
    pushesBytes: counter("memberlist_client_state_pushes_bytes_total", "Bytes of these states."),
    tombstonesRemoved: new Counter({
      name: "memberlist_client_kv_store_value_tombstones_removed_total",
      help: "Tombstones that have got too old.",
      labelNames: ["key"],
      registers,
    }),
  };
}

function registerGauges(registry: Registry, state: () => KvState): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: (state: KvState) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(state()));
      },
    });
  };
  gauge("memberlist_client_kv_store_count", "Keys in the store.", ({ keyCount }) => keyCount);
  gauge(
    "memberlist_client_messages_in_broadcast_queue",
    "Changes that wait to be gossiped.",
    ({ queue }) => queue.length,
  );
  gauge(
    "memberlist_client_messages_in_broadcast_queue_bytes",
    "Bytes of these changes.",
    ({ queue }) => queue.sizeBytes,
  );
  new Counter({
    name: "memberlist_client_messages_to_broadcast_dropped_total",
    help: "Changes that were not gossiped as often as wanted, because too many waited. Push/pull makes up for it.",
    registers,
    collect() {
      this.reset();
      this.inc(state().queue.dropped);
    },
  });
  new Gauge({
    name: "memberlist_client_kv_store_value_tombstones",
    help: "Tombstones in the value of a key.",
    labelNames: ["key"],
    registers,
    collect() {
      this.reset();
      for (const [key, count] of state().tombstones) if (count > 0) this.set({ key }, count);
    },
  });
}
