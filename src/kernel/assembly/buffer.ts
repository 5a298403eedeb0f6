/**
 * Growable byte buffers inside the kernel, for output whose size is known only while it is written.
 *
 *     buffer struct (12 bytes):  u32 address | u32 length | u32 capacity
 *
 * The area comes from `allocArea`; growing moves it, so an address is good only until the next `reserve`.
 */
import { alloc, allocArea, releaseArea } from "./memory";

const ADDRESS: usize = 0;
const LENGTH: usize = 4;
const CAPACITY: usize = 8;

export function newBuffer(): usize {
  return alloc(12);
}

// @ts-ignore: decorator
@inline
export function bufferAddress(buffer: usize): usize {
  return load<u32>(buffer, ADDRESS);
}

// @ts-ignore: decorator
@inline
export function bufferLength(buffer: usize): usize {
  return load<u32>(buffer, LENGTH);
}

// @ts-ignore: decorator
@inline
export function setBufferLength(buffer: usize, length: usize): void {
  store<u32>(buffer, <u32>length, LENGTH);
}

/** Room for `size` more bytes; the address of the first of them. The length stays: see `setBufferLength`. */
export function reserve(buffer: usize, size: usize): usize {
  const length = <usize>load<u32>(buffer, LENGTH);
  const capacity = <usize>load<u32>(buffer, CAPACITY);
  if (length + size > capacity) grow(buffer, length + size);
  return <usize>load<u32>(buffer, ADDRESS) + length;
}

function grow(buffer: usize, needed: usize): void {
  // Also where the sum of length and size has passed 4 GiB.
  if (needed > 0x80000000 || needed < bufferLength(buffer)) unreachable();
  const oldCapacity = <usize>load<u32>(buffer, CAPACITY);
  const oldAddress = <usize>load<u32>(buffer, ADDRESS);
  let capacity: usize = oldCapacity == 0 ? 1024 : oldCapacity;
  while (capacity < needed) capacity <<= 1;
  const address = allocArea(capacity);
  if (oldCapacity != 0) {
    memory.copy(address, oldAddress, load<u32>(buffer, LENGTH));
    releaseArea(oldAddress, oldCapacity);
  }
  store<u32>(buffer, <u32>address, ADDRESS);
  store<u32>(buffer, <u32>capacity, CAPACITY);
}

/** Empties the buffer and gives a large area back, so that one big answer does not cost memory for good. */
export function resetBuffer(buffer: usize, keepBytes: usize): void {
  store<u32>(buffer, 0, LENGTH);
  const capacity = <usize>load<u32>(buffer, CAPACITY);
  if (capacity <= keepBytes) return;
  releaseArea(load<u32>(buffer, ADDRESS), capacity);
  store<u32>(buffer, 0, ADDRESS);
  store<u32>(buffer, 0, CAPACITY);
}

export function putU32(buffer: usize, value: u32): void {
  store<u32>(reserve(buffer, 4), value);
  setBufferLength(buffer, bufferLength(buffer) + 4);
}

export function putF64(buffer: usize, value: f64): void {
  store<f64>(reserve(buffer, 8), value);
  setBufferLength(buffer, bufferLength(buffer) + 8);
}

export function putU8(buffer: usize, value: u32): void {
  store<u8>(reserve(buffer, 1), <u8>value);
  setBufferLength(buffer, bufferLength(buffer) + 1);
}

export function putVarint(buffer: usize, value: u64): void {
  let at = reserve(buffer, 10);
  const start = at;
  while (value >= 0x80) {
    store<u8>(at++, <u8>(value | 0x80));
    value >>= 7;
  }
  store<u8>(at++, <u8>value);
  setBufferLength(buffer, bufferLength(buffer) + (at - start));
}

export function putBytes(buffer: usize, source: usize, size: usize): void {
  memory.copy(reserve(buffer, size), source, size);
  setBufferLength(buffer, bufferLength(buffer) + size);
}
