/**
 * The ring as a value of the gossiped key-value store: one key holds a whole ring. A heartbeat changes a head alone, so it
 * replaces the heartbeat before it in the queue, and never pushes out tokens that have yet to be told.
 */
import { ProtocolError } from "../gossip/codec/protocol-error.ts";
import type { ValueType } from "../gossip/kv/value-type.ts";
import { decodeRing, encodeRing, splitRing } from "./codec.ts";
import { EMPTY_RING, merge, type RingDescriptor, withoutOldTombstones } from "./descriptor.ts";
import { isMember } from "./instance.ts";

export const RING_VALUE: ValueType<RingDescriptor> = {
  id: "ring",
  empty: EMPTY_RING,
  isEmpty: (ring) => ring.size === 0,
  merge,
  encode: encodeRing,
  split: splitRing,
  decode,
  subjects,
  withoutOldTombstones,
  tombstoneCount: (ring) => [...ring.values()].filter((instance) => !isMember(instance)).length,
};

/** Throws a ProtocolError that says where the bytes are wrong. */
function decode(bytes: Uint8Array): RingDescriptor {
  const decoded = decodeRing(bytes);
  if ("ring" in decoded) return decoded.ring;
  const { message, offsetBytes } = decoded.malformed;
  throw new ProtocolError("malformed", `a ring at byte ${offsetBytes}: ${message}`);
}

/** An instance whose tokens are not known here speaks of its head alone. */
function subjects(change: RingDescriptor): string[] {
  return [...change.values()].flatMap(({ id, tokensUpdatedAtMs }) =>
    tokensUpdatedAtMs === 0 ? [`${id}/head`] : [`${id}/head`, `${id}/tokens`],
  );
}
