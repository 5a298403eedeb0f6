import type { NetworkAddress } from "../../base/network.ts";
import type { Message, Ping } from "../codec/messages.ts";
import type { NodeState } from "../codec/node-state.ts";
import type { Member } from "./member.ts";

/** What happens to a node. */
export type MembershipEvent =
  | { readonly type: "start" }
  /** Nothing but time has passed. */
  | { readonly type: "wake" }
  | { readonly type: "message"; readonly message: Message; readonly from: NetworkAddress }
  /** How a "stream-ping" ended. */
  | {
      readonly type: "stream-ping-result";
      readonly sequence: number;
      readonly answered: boolean;
    }
  /** The members of another node, by push/pull; `join` as the dialling side said. */
  | { readonly type: "remote-state"; readonly join: boolean; readonly nodes: readonly NodeState[] }
  | { readonly type: "update-meta"; readonly meta: Uint8Array }
  | { readonly type: "leave" };

/** What the driver shall do about it, in this order. */
export type Effect =
  | {
      readonly type: "send-packet";
      readonly to: NetworkAddress;
      readonly payload: Uint8Array;
      readonly withCrc: boolean;
    }
  /** Ping over TCP and report a "stream-ping-result" within `timeoutMs`. */
  | {
      readonly type: "stream-ping";
      readonly to: NetworkAddress;
      readonly ping: Ping;
      readonly timeoutMs: number;
    }
  /** Exchange states and report the "remote-state". */
  | { readonly type: "push-pull"; readonly to: NetworkAddress; readonly node: string }
  | { readonly type: "send-user-stream"; readonly to: NetworkAddress; readonly payload: Uint8Array }
  | { readonly type: "user-message"; readonly payload: Uint8Array }
  | {
      readonly type: "member-joined" | "member-updated" | "member-gone";
      readonly member: Member;
    }
  /** Our own leaving or metadata has been told as often as it is told. */
  | { readonly type: "announced"; readonly what: "leave" | "meta" }
  | { readonly type: "merge-refused"; readonly reason: string }
  | {
      readonly type: "log";
      readonly level: "debug" | "info" | "warn";
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
