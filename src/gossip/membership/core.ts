/** What the parts of the state machine share: state, the time of the current step, and the list of effects. */
import type { NetworkAddress } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import {
  COMPOUND_HEADER_BYTES,
  COMPOUND_OVERHEAD_BYTES,
  makeCompounds,
} from "../codec/compound.ts";
import { encodeMessage, MESSAGE_TYPE, type Message } from "../codec/messages.ts";
import { CRC_OVERHEAD_BYTES } from "../codec/packet.ts";
import { Agenda } from "./agenda.ts";
import { Awareness } from "./awareness.ts";
import { BroadcastQueue } from "./broadcast-queue.ts";
import type { Effect } from "./events.ts";
import { addressOf, type MemberRecord, protocolMax } from "./member.ts";
import { MemberTable } from "./member-table.ts";
import type { MembershipOptions } from "./options.ts";
import { PROTOCOL_CRC } from "./versions.ts";

/** What gossips along with membership. Called within a step; must not call back. */
export interface Application {
  /** Messages to send now, each costing `overheadBytes` more, in all within `limitBytes`. */
  broadcasts(overheadBytes: number, limitBytes: number, memberCount: number): Uint8Array[];
  /** One message that is larger than `limitBytes`, to be sent over TCP; asked once for each receiver. */
  largeBroadcast(limitBytes: number, memberCount: number): Uint8Array | undefined;
  /** All that waits to be sent; absent: nobody knows. */
  readonly waitingBytes?: number;
}

export interface SelfOptions {
  readonly name: string;
  /** Where others reach us. */
  readonly address: NetworkAddress;
  readonly meta: Uint8Array;
  /** What label and encryption add to each packet. */
  readonly packetOverheadBytes: number;
}

export type Task =
  | { readonly type: "probe-tick" | "gossip-tick" | "push-pull-tick" }
  | {
      readonly type: "probe-timeout" | "probe-deadline" | "relay-timeout";
      readonly sequence: number;
    }
  | { readonly type: "suspicion"; readonly node: string };

/** So many times the usual number of members are told at once if there is much to tell. */
const PRESSURE_MAX = 4;

export class Core {
  readonly self: SelfOptions;
  readonly options: MembershipOptions;
  readonly random: Random;
  readonly members: MemberTable;
  readonly awareness: Awareness;
  readonly broadcasts: BroadcastQueue;
  readonly agenda = new Agenda<Task>();
  nowMs = 0;
  hasLeft = false;
  readonly #application: Application;
  #effects: Effect[] = [];
  #sequence = 0;

  constructor(
    self: SelfOptions,
    options: MembershipOptions,
    collaborators: { readonly random: Random; readonly application: Application },
  ) {
    this.self = self;
    this.options = options;
    this.random = collaborators.random;
    this.#application = collaborators.application;
    this.members = new MemberTable(this.random);
    this.awareness = new Awareness(options.awarenessMax);
    this.broadcasts = new BroadcastQueue({
      retransmitMultiplier: options.retransmitMultiplier,
      lengthMax: options.broadcastsMax,
    });
  }

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  log(
    level: "debug" | "info" | "warn",
    message: string,
    fields: Readonly<Record<string, unknown>> = {},
  ): void {
    this.emit({ type: "log", level, message, fields });
  }

  nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }

  /** A message about a member, to everybody. */
  broadcast(subject: string, message: Message, finished?: () => void): void {
    this.broadcasts.add({
      group: subject,
      message: encodeMessage(message),
      ...(finished === undefined ? {} : { finished }),
    });
  }

  /** A message to one node, and with it what there is to gossip. */
  send(to: NetworkAddress, message: Message): void {
    const encoded = encodeMessage(message);
    const limitBytes = this.#packetRoomBytes() - encoded.length - COMPOUND_OVERHEAD_BYTES;
    for (const payload of makeCompounds([encoded, ...this.#takeBroadcasts(limitBytes)])) {
      this.emit({ type: "send-packet", to: addressOf(to), payload, withCrc: false });
    }
  }

  /** Just these messages to a member, with a checksum if it knows them. */
  sendExactly(to: MemberRecord, messages: readonly Uint8Array[]): void {
    const withCrc = protocolMax(to) >= PROTOCOL_CRC;
    for (const payload of makeCompounds(messages)) {
      this.emit({ type: "send-packet", to: addressOf(to), payload, withCrc });
    }
  }

  /**
   * How many members to tell. A packet each is enough in a quiet cluster; when more waits than a packet holds, more members
   * are told, or the queue would only grow and news would wait for a push/pull.
   */
  get receiversWanted(): number {
    const waitingBytes = this.broadcasts.sizeBytes + (this.#application.waitingBytes ?? 0);
    const pressure = Math.ceil(waitingBytes / this.#packetRoomBytes());
    return this.options.gossipNodes * Math.min(Math.max(pressure, 1), PRESSURE_MAX);
  }

  /** Tells each of them what there is to tell; what is too large for packets goes over TCP. */
  gossipTo(receivers: readonly MemberRecord[]): void {
    for (const receiver of receivers) {
      const messages = this.#takeBroadcasts(this.#packetRoomBytes());
      if (messages.length === 0) break;
      this.sendExactly(receiver, messages);
    }
    const limitBytes = this.#packetRoomBytes() - COMPOUND_OVERHEAD_BYTES - 1;
    for (const receiver of receivers.slice(0, this.options.gossipNodes)) {
      if (receiver.status !== "alive") continue;
      const payload = this.#application.largeBroadcast(limitBytes, this.members.count);
      if (payload === undefined) break;
      this.emit({ type: "send-user-stream", to: addressOf(receiver), payload });
    }
  }

  /** What a packet has for messages, their compound overhead included. */
  #packetRoomBytes(): number {
    const { packetOverheadBytes } = this.self;
    return (
      this.options.packetBytesMax - packetOverheadBytes - CRC_OVERHEAD_BYTES - COMPOUND_HEADER_BYTES
    );
  }

  /** News of members first, then the application's in the room that is left. */
  #takeBroadcasts(limitBytes: number): Uint8Array[] {
    const count = this.members.count;
    const messages = this.broadcasts.take(COMPOUND_OVERHEAD_BYTES, limitBytes, count);
    const usedBytes = messages.reduce(
      (sum, { length }) => sum + length + COMPOUND_OVERHEAD_BYTES,
      0,
    );
    const overheadBytes = COMPOUND_OVERHEAD_BYTES + 1;
    const leftBytes = limitBytes - usedBytes;
    if (leftBytes <= overheadBytes) return messages;
    for (const payload of this.#application.broadcasts(overheadBytes, leftBytes, count)) {
      messages.push(userMessage(payload));
    }
    return messages;
  }
}

function userMessage(payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(1 + payload.length);
  message[0] = MESSAGE_TYPE.user;
  message.set(payload, 1);
  return message;
}
