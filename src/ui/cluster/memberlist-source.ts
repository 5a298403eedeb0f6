/** What the memberlist page asks. */

import type { NodeStatus } from "../../gossip/codec/node-state.ts";
import type { HistoryEntry } from "../../gossip/kv/history.ts";
import type { KeyStatus } from "../../gossip/kv/kv-store.ts";

export interface MemberlistPageSource {
  status(): MemberlistStatus;
  keys(): readonly KeyStatus[];
  /** The value of a key, as JSON can hold it; undefined for an unknown key. */
  valueOf(key: string): unknown;
  /** Oldest first. */
  history(): readonly HistoryEntry[];
  clearHistory(): void;
}

export interface MemberlistStatus {
  readonly nowMs: number;
  readonly nodeName: string;
  readonly clusterLabel: string;
  readonly isEncrypted: boolean;
  /** host:port where others reach us. */
  readonly address: string;
  /** Lifeguard's local health: 0 is well. */
  readonly healthScore: number;
  /** How old the oldest of the newest heartbeats is that came from live members of the rings; undefined without any. */
  readonly oldestNewsMs: number | undefined;
  /** Messages that are still to be told. */
  readonly queuedMessages: number;
  readonly members: readonly MemberView[];
}

export interface MemberView {
  readonly name: string;
  readonly address: string;
  readonly status: NodeStatus;
  /** Of the metadata that it tells: "zone", "role" and so on. */
  readonly meta: Readonly<Record<string, string>>;
  readonly statusForMs: number;
  readonly roundTripMs: number | undefined;
  readonly incarnation: number;
  /** Digests of its keys, where they are known: equal to ours where it holds the same. */
  readonly digests: ReadonlyMap<string, number> | undefined;
}
