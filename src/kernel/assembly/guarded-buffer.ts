/**
 * Growing buffers with guards. A buffer is named by the address of its descriptor:
 *
 *     descriptor   0 address u32 · 4 capacity u32 (bytes, without slack and guards)
 *     area         16 guard bytes | capacity | 32 slack bytes | 16 guard bytes
 *
 * Wide loads and stores may run over into the slack. The guards are never written after the buffer is made:
 * `guardIntact` tells whether anything did, for the fuzzer and for assertions.
 */
import { alloc, allocArea, releaseArea } from "./memory";

const GUARD: u64 = 0xa5c3965a3c69f00f;
const GUARD_BYTES: usize = 16;
export const SLACK_BYTES: usize = 32;
const OVERHEAD_BYTES: usize = 2 * GUARD_BYTES + SLACK_BYTES;

export function newBuffer(): usize {
  return alloc(8);
}

// @ts-ignore: decorator
@inline
export function addressOf(buffer: usize): usize {
  return load<u32>(buffer);
}

// @ts-ignore: decorator
@inline
export function capacityOf(buffer: usize): u32 {
  return load<u32>(buffer, 4);
}

/** Room for `wanted` bytes, keeping the first `used`; returns the address, which changes when it grows. */
export function reserve(buffer: usize, used: u32, wanted: u32): usize {
  const at = <usize>load<u32>(buffer);
  const capacity = load<u32>(buffer, 4);
  if (at != 0 && wanted <= capacity) return at;
  // Areas are powers of two: take all of the one that fits. 2 GiB is far above any limit on requests.
  if (wanted > 0x7fffff00) unreachable();
  const areaBytes: usize = <usize>1 << (32 - clz<u32>(wanted + <u32>OVERHEAD_BYTES - 1));
  const area = allocArea(areaBytes);
  const grown = area + GUARD_BYTES;
  const grownCapacity = areaBytes - OVERHEAD_BYTES;
  if (used > 0) memory.copy(grown, at, used);
  store<u64>(area, GUARD);
  store<u64>(area, GUARD, 8);
  store<u64>(grown + grownCapacity + SLACK_BYTES, GUARD);
  store<u64>(grown + grownCapacity + SLACK_BYTES, GUARD, 8);
  if (at != 0) releaseArea(at - GUARD_BYTES, <usize>capacity + OVERHEAD_BYTES);
  store<u32>(buffer, <u32>grown);
  store<u32>(buffer, <u32>grownCapacity, 4);
  return grown;
}

/** Gives the area back if it is large, so that one big request does not cost memory for good. What it held is gone. */
export function releaseLarge(buffer: usize, keepBytes: u32): void {
  const capacity = load<u32>(buffer, 4);
  if (capacity <= keepBytes) return;
  releaseArea(<usize>load<u32>(buffer) - GUARD_BYTES, <usize>capacity + OVERHEAD_BYTES);
  store<u32>(buffer, 0);
  store<u32>(buffer, 0, 4);
}

export function guardIntact(buffer: usize): bool {
  const at = <usize>load<u32>(buffer);
  if (at == 0) return true;
  const after = at + load<u32>(buffer, 4) + SLACK_BYTES;
  return (
    load<u64>(at - 16) == GUARD &&
    load<u64>(at - 8) == GUARD &&
    load<u64>(after) == GUARD &&
    load<u64>(after, 8) == GUARD
  );
}
