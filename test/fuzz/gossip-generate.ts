/** What strangers may throw at a gossip port: from noise to real packets and streams, damaged. */
import { type Random, SeededRandom } from "../../src/base/random.ts";
import { concatBytes, textBytes } from "../../src/gossip/codec/byte-writer.ts";
import { makeCompounds } from "../../src/gossip/codec/compound.ts";
import { Keyring } from "../../src/gossip/codec/keyring.ts";
import { encodeMessage, type Message } from "../../src/gossip/codec/messages.ts";
import type { NodeState } from "../../src/gossip/codec/node-state.ts";
import { encodePacket } from "../../src/gossip/codec/packet.ts";
import { Security } from "../../src/gossip/codec/security.ts";
import { encodeStreamMessage, type StreamMessage } from "../../src/gossip/codec/stream.ts";
import { encodePairs } from "../../src/gossip/kv/pairs.ts";
import { LAST_WRITE_MAP } from "../gossip/kv/last-write-map.ts";
import { Chance } from "./chance.ts";

export const LABEL = "fuzz";
export const KEY = new Uint8Array(32).fill(3);
const WRONG_KEY = new Uint8Array(32).fill(4);
const NAMES = ["victim", "friend-1", "friend-2", "stranger", "", "__proto__", "é"];

/** Types of messages, labels and encryption; lengths and kinds of MessagePack. */
const TELLING_BYTES = [
  ...Array.from({ length: 14 }, (_, type) => type),
  ...[0x4b, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xc3, 0xc4, 0xc6, 0xcc],
  ...[0xce, 0xcf, 0xd3, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xf4, 0xff],
];

/** Names as MessagePack has them, with their length. */
const FIELD = Buffer.from("\xabIncarnation", "latin1");
const STRANGE_FIELD = Buffer.from("\xa9__proto__", "latin1");

export interface FuzzInput {
  readonly bytes: Uint8Array;
  /** Made as a member makes it and not changed. */
  readonly wellFormed: boolean;
}

export type Kind = "packet" | "stream";

export class GossipGenerator extends Chance {
  constructor(random: Random) {
    super(random, TELLING_BYTES);
  }

  /** For a node without a key: real messages, damaged or not. */
  plain(kind: Kind): FuzzInput {
    const security = this.#security(LABEL, undefined);
    const choice = this.below(8);
    if (choice === 0) return { bytes: this.noise(300), wellFormed: false };
    if (choice === 1) return this.#labelled(this.noise(300));
    if (choice === 2) return this.#labelled(this.mutate(this.#real(kind, security)));
    const real = this.#real(kind, security);
    const whole = concatBytes(security.header, real);
    if (choice <= 4) return { bytes: whole, wellFormed: true };
    return { bytes: this.mutate(whole), wellFormed: false };
  }

  /** For a node with a key: nothing of this may have an effect. */
  hostile(kind: Kind): FuzzInput {
    const [own, plain] = [this.#security(LABEL, KEY), this.#security(LABEL, undefined)];
    const strangers = [
      plain,
      this.#security("", undefined),
      this.#security("", KEY),
      this.#security("another", KEY),
      this.#security(LABEL, WRONG_KEY),
    ];
    const choice = this.below(8);
    if (choice === 0) return { bytes: this.noise(300), wellFormed: false };
    if (choice === 1) return this.#labelled(this.noise(300));
    if (choice <= 3) {
      const stranger = this.pick(strangers);
      const real = this.#real(kind, stranger);
      return { bytes: concatBytes(stranger.header, real), wellFormed: false };
    }
    const whole = concatBytes(own.header, this.#real(kind, own));
    const spoilt = this.mutate(whole);
    return {
      bytes: this.#isEffective(whole, spoilt, own) ? spoilt : new Uint8Array(),
      wellFormed: false,
    };
  }

  /**
   * Not if the damage was none, only appended to a stream, or hit the version of the encryption, which the protocol does not
   * authenticate.
   */
  #isEffective(whole: Uint8Array, spoilt: Uint8Array, { header }: Security): boolean {
    const length = Math.min(whole.length, spoilt.length);
    const at = whole.subarray(0, length).findIndex((byte, index) => byte !== spoilt[index]);
    return at >= 0 ? at !== header.length : spoilt.length < whole.length;
  }

  #labelled(rest: Uint8Array): FuzzInput {
    return {
      bytes: concatBytes(this.#security(LABEL, undefined).header, rest),
      wellFormed: false,
    };
  }

  #security(label: string, key: Uint8Array | undefined): Security {
    const options = {
      label,
      acceptUnlabelled: false,
      verifyIncoming: true,
      verifyOutgoing: true,
      encryptionVersion: 1 as const,
      ...(key === undefined ? {} : { keyring: new Keyring(key) }),
    };
    return new Security(options, new SeededRandom(this.random.uint32()));
  }

  /** Without the label. */
  #real(kind: Kind, security: Security): Uint8Array {
    const compress = this.below(3) === 0;
    if (kind === "stream") {
      return encodeStreamMessage(this.#streamMessage(), { compress }, security);
    }
    const messages = Array.from({ length: 1 + this.below(5) }, () =>
      this.#renamed(encodeMessage(this.#message())),
    );
    const payload = makeCompounds(messages)[0] as Uint8Array;
    const packet = encodePacket(payload, { withCrc: this.below(3) === 0, compress }, security);
    return packet.subarray(security.header.length);
  }

  /** A field of the future, with a name that every object has. */
  #renamed(message: Uint8Array): Uint8Array {
    const at = this.below(20) === 0 ? Buffer.from(message).indexOf(FIELD) : -1;
    if (at < 0) return message;
    return concatBytes(message.subarray(0, at), STRANGE_FIELD, message.subarray(at + FIELD.length));
  }

  #message(): Message {
    const sequence = this.below(10);
    const node = this.pick(NAMES);
    const incarnation = this.pick([0, 1, 2, 3, 0xffff_ffff]);
    const source = { sourceHost: this.#host(), sourcePort: this.below(3), sourceNode: node };
    switch (this.below(8)) {
      case 0:
        return { type: "ping", sequence, node, ...source };
      case 1: {
        const target = { targetHost: this.#host(), targetPort: this.below(70) };
        return { type: "indirect-ping", sequence, node, ...target, wantsNack: true, ...source };
      }
      case 2:
        return { type: "ack", sequence, payload: this.noise(10) };
      case 3:
        return { type: "nack", sequence };
      case 4:
        return { type: "suspect", incarnation, node, from: this.pick(NAMES) };
      case 5:
        return { type: "dead", incarnation, node, from: this.pick(NAMES) };
      case 6: {
        const { host, port, meta, versions } = this.#nodeState();
        return { type: "alive", incarnation, node, host, port, meta, versions };
      }
      default:
        return { type: "user", payload: this.#pairs() };
    }
  }

  #streamMessage(): StreamMessage {
    const choice = this.below(6);
    if (choice === 0) return { type: "user", payload: this.#pairs() };
    if (choice === 1) return { type: "error", message: "no" };
    if (choice === 2) {
      const source = { sourceHost: this.#host(), sourcePort: 1, sourceNode: "friend-1" };
      return { type: "ping", sequence: this.below(10), node: this.pick(NAMES), ...source };
    }
    const nodes = Array.from({ length: this.below(4) }, () => this.#nodeState());
    return { type: "push-pull", join: this.below(2) === 0, nodes, userState: this.#pairs() };
  }

  #nodeState(): NodeState {
    return {
      name: this.pick(NAMES),
      host: this.#host(),
      port: this.pick([0, 7946]),
      meta: this.noise(20),
      incarnation: this.pick([0, 1, 2, 3, 0xffff_ffff]),
      status: this.pick(["alive", "suspect", "dead", "left"] as const),
      versions: this.pick([
        Uint8Array.of(1, 5, 2, 0, 0, 0),
        new Uint8Array(),
        Uint8Array.of(5, 1, 2, 0, 0, 0),
        this.noise(8),
      ]),
    };
  }

  #host(): string {
    return this.pick(["10.0.0.1", "10.0.0.2", "10.0.0.9", "fd00::1", ""]);
  }

  #pairs(): Uint8Array {
    if (this.below(4) === 0) return this.noise(40);
    const written = { atMs: this.below(1000), text: this.pick(["x", "y", undefined]) };
    const value = LAST_WRITE_MAP.encode(new Map([[this.pick(NAMES), written]]));
    const type = this.pick([LAST_WRITE_MAP.id, LAST_WRITE_MAP.id, "unheard-of"]);
    const key = this.pick(["ring", "ha/one", ""]);
    const pairs = encodePairs([{ key, type, value: this.below(5) === 0 ? textBytes("{") : value }]);
    return this.below(4) === 0 ? this.mutate(pairs) : pairs;
  }
}
