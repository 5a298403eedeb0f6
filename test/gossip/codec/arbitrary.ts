/** Messages and settings at random, and the ways in which bytes go wrong. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SeededRandom } from "../../../src/base/random.ts";
import { Keyring } from "../../../src/gossip/codec/keyring.ts";
import type { Message } from "../../../src/gossip/codec/messages.ts";
import type { NodeState } from "../../../src/gossip/codec/node-state.ts";
import { ProtocolError } from "../../../src/gossip/codec/protocol-error.ts";
import { Security, type SecurityOptions } from "../../../src/gossip/codec/security.ts";
import type { StreamMessage } from "../../../src/gossip/codec/stream.ts";

/** Plain objects, as decoders give them. */
function record<T>(fields: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

export const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });

const uint32 = fc.oneof(
  fc.nat({ max: 0xffff_ffff }),
  // Where the size of a number on the wire changes.
  fc.constantFrom(0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff),
);
const port = fc.nat({ max: 0xffff });
/** Up to what needs two bytes for its length. */
export const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("", "x".repeat(31), "x".repeat(32), "x".repeat(300)),
);
/** Canonical, as everything inside is; "" is none. */
const host = fc.oneof(
  fc.constant(""),
  fc.ipV4(),
  fc.constantFrom("::1", "fd00::1", "2001:db8::8:800:200c:417a"),
);
const meta = bytes(512);
const versions = bytes(6);

const source = { sourceHost: host, sourcePort: port, sourceNode: text };
const ping = record({
  type: fc.constant("ping" as const),
  sequence: uint32,
  node: text,
  ...source,
});
const ack = record({ type: fc.constant("ack" as const), sequence: uint32, payload: bytes(40) });
const accusation = { incarnation: uint32, node: text, from: text };

export const message: fc.Arbitrary<Message> = fc.oneof(
  ping,
  ack,
  record({
    type: fc.constant("indirect-ping" as const),
    sequence: uint32,
    node: text,
    targetHost: host,
    targetPort: port,
    wantsNack: fc.boolean(),
    ...source,
  }),
  record({ type: fc.constant("nack" as const), sequence: uint32 }),
  record({ type: fc.constant("suspect" as const), ...accusation }),
  record({ type: fc.constant("dead" as const), ...accusation }),
  record({
    type: fc.constant("alive" as const),
    incarnation: uint32,
    node: text,
    host,
    port,
    meta,
    versions,
  }),
  record({ type: fc.constant("user" as const), payload: bytes(300) }),
);

const nodeState: fc.Arbitrary<NodeState> = record({
  name: text,
  host,
  port,
  meta,
  incarnation: uint32,
  status: fc.constantFrom("alive", "suspect", "dead", "left"),
  versions,
});

export const streamMessage: fc.Arbitrary<StreamMessage> = fc.oneof(
  record({
    type: fc.constant("push-pull" as const),
    join: fc.boolean(),
    nodes: fc.array(nodeState, { maxLength: 6 }),
    userState: bytes(300),
  }),
  record({ type: fc.constant("user" as const), payload: bytes(300) }),
  record({ type: fc.constant("error" as const), message: text }),
  ping,
  ack,
);

export const aesKey = fc
  .constantFrom(16, 24, 32)
  .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));

export function newSecurity(options: Partial<SecurityOptions> = {}): Security {
  return new Security(
    {
      label: "",
      acceptUnlabelled: false,
      verifyIncoming: true,
      verifyOutgoing: true,
      encryptionVersion: 1,
      ...options,
    },
    new SeededRandom(1),
  );
}

export const security: fc.Arbitrary<Security> = record({
  label: fc.constantFrom("", "prod", "x".repeat(255)),
  key: fc.option(aesKey, { nil: undefined }),
  encryptionVersion: fc.constantFrom(0 as const, 1 as const),
}).map(({ label, key, encryptionVersion }) =>
  newSecurity({
    label,
    encryptionVersion,
    ...(key === undefined ? {} : { keyring: new Keyring(key) }),
  }),
);

/** A way to spoil bytes: cut off, changed, lost, put in, or all of it noise. */
export const damage: fc.Arbitrary<(whole: Uint8Array) => Uint8Array> = record({
  kind: fc.nat({ max: 4 }),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  noise: fc.uint8Array({ minLength: 1, maxLength: 8 }),
}).map(({ kind, at, noise }) => (whole) => {
  const place = Math.floor(at * whole.length);
  const head = whole.subarray(0, place);
  if (kind === 0) return head.slice();
  if (kind === 1) return joined(head, noise, whole.subarray(place + noise.length));
  if (kind === 2) return joined(head, whole.subarray(place + noise.length));
  if (kind === 3) return joined(head, noise, whole.subarray(place));
  return noise;
});

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** A decoder gives something or a ProtocolError, and nothing else. What it gives, if it does. */
export function decodesOrRefuses<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    assert.ok(error instanceof ProtocolError, `threw ${String(error)}`);
    return undefined;
  }
}

/** The reason of the ProtocolError that it throws. */
export function refusal(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    assert.ok(error instanceof ProtocolError, `threw ${String(error)}`);
    return error.reason;
  }
  return "none";
}
