/**
 * Protocol versions: a member says which it understands and which it speaks, for the protocol itself and for the
 * application on it: min, max, current, application min, max, current. We speak 2 and understand 1 to 5, as the Go
 * library does: 3 added pings over TCP, 4 nacks, 5 checksums.
 */
import type { NodeState } from "../codec/node-state.ts";

export const PROTOCOL_MIN = 1;
export const PROTOCOL_MAX = 5;
export const PROTOCOL_CURRENT = 2;
export const PROTOCOL_NACK = 4;
export const PROTOCOL_STREAM_PING = 3;
export const PROTOCOL_CRC = 5;

const VERSIONS = 6;

export function ownVersions(): Uint8Array {
  return Uint8Array.of(PROTOCOL_MIN, PROTOCOL_MAX, PROTOCOL_CURRENT, 0, 0, 0);
}

/** Shorter vectors come from nodes that are older than versions. */
export function hasVersions(versions: Uint8Array): boolean {
  return versions.length >= VERSIONS;
}

export function areSane(versions: Uint8Array): boolean {
  if (versions.length < 3) return true;
  const [min = 0, max = 0] = versions;
  return min > 0 && max > 0 && min <= max;
}

/**
 * Why these nodes cannot be one cluster: somebody alive does not understand what another speaks. undefined: they can.
 */
export function incompatibility(
  own: readonly NodeState[],
  remote: readonly NodeState[],
): string | undefined {
  const everybody = [...own, ...remote];
  const speaking = everybody.filter(
    ({ status, versions }) => status === "alive" && hasVersions(versions),
  );
  return (
    outside("protocol", everybody, speaking, 0) ??
    outside("application protocol", everybody, speaking, 3)
  );
}

function outside(
  what: string,
  everybody: readonly NodeState[],
  speaking: readonly NodeState[],
  at: number,
): string | undefined {
  const min = speaking.reduce((most, { versions }) => Math.max(most, versions[at] ?? 0), 0);
  const max = speaking.reduce((least, { versions }) => Math.min(least, versions[at + 1] ?? 0), 255);
  for (const { name, versions } of everybody) {
    const current = hasVersions(versions) ? (versions[at + 2] ?? 0) : 0;
    if (current < min || current > max) {
      return `${JSON.stringify(name)} speaks ${what} version ${current}, outside of ${min} to ${max}`;
    }
  }
  return undefined;
}
