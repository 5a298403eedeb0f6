import type { NetworkAddress } from "../../base/network.ts";
import type { Alive } from "../codec/messages.ts";
import type { NodeState, NodeStatus } from "../codec/node-state.ts";

/** A member as others see it; what is handed out is a copy. */
export interface Member extends NodeState {
  /** Monotonic time at which it got its status. */
  readonly statusSinceMs: number;
  /** Of the last probe that it answered directly. */
  readonly roundTripMs: number | undefined;
}

/** The state machine's own record. */
export type MemberRecord = { -readonly [Key in keyof Member]: Member[Key] };

export function isGone(member: { readonly status: NodeStatus }): boolean {
  return member.status === "dead" || member.status === "left";
}

export function addressOf({ host, port }: NetworkAddress): NetworkAddress {
  return { host, port };
}

/** The highest protocol version that it understands. */
export function protocolMax(member: NodeState): number {
  return member.versions[1] ?? 0;
}

export function aliveMessage(member: NodeState): Alive {
  const { incarnation, name, host, port, meta, versions } = member;
  return { type: "alive", incarnation, node: name, host, port, meta, versions };
}
