/**
 * Rows of the intake (intake-rows.ts) as a push frame (push-frame.ts): all of them, or those that the host names.
 *
 *     frame     the frame, to be copied by the host          chosen    u32 row numbers, written by the host
 */
import { crc32c } from "./crc32c";
import { addressOf, capacityOf, guardIntact, newBuffer, reserve } from "./guarded-buffer";
import { ids, labelOffsets, labels, offsets, rowCount, times, values } from "./intake-rows";
import { CRC_BYTES, FLAG_ONE_SAMPLE, HEADER_BYTES, MAGIC, VERSION } from "./push-frame";

const COUNT_BYTES_MAX: u64 = 5;
const TIME_BYTES_MAX: u64 = 10;
const FRAME_BYTES_MAX: u64 = 0x7fffff00;

let frame: usize = 0;
let chosen: usize = 0;

/** Of the rows that go into the frame. */
let rows: u32 = 0;
let samples: u32 = 0;
let labelBytes: u32 = 0;
let oneSampleEach: bool = false;

/** Where the host writes the row numbers; room for `count`. */
export function frameRowsInput(count: u32): usize {
  if (frame == 0) {
    frame = newBuffer();
    chosen = newBuffer();
  }
  return reserve(chosen, 0, count << 2);
}

export function frameAddress(): usize {
  return addressOf(frame);
}

/** Bytes of the frame's buffer, to tell whether a large one was left behind. */
export function frameCapacity(): u32 {
  return frame == 0 ? 0 : max<u32>(capacityOf(frame), capacityOf(chosen));
}

/** 1 when no guard around the buffers was written. */
export function frameGuardsIntact(): u32 {
  return frame == 0 || (guardIntact(frame) && guardIntact(chosen)) ? 1 : 0;
}

/** Call `frameRowsInput` before. The frame of all rows; its length. */
export function encodeAllRows(): u32 {
  return encodeRows(0, rowCount);
}

/** The frame of `count` rows, whose numbers the host has written; its length, or 0 if there is no such row. */
export function encodeChosenRows(count: u32): u32 {
  const at = addressOf(chosen);
  for (let i: u32 = 0; i < count; i++) {
    if (load<u32>(at + ((<usize>i) << 2)) >= rowCount) return 0;
  }
  return encodeRows(at, count);
}

/** `choice` is where the row numbers are, 0 for all rows. */
function encodeRows(choice: usize, count: u32): u32 {
  rows = count;
  measure(choice);
  const start = reserve(frame, 0, bytesMax());
  let at = putHeader(start);
  at = putIds(at, choice);
  at = putValues(at, choice);
  if (!oneSampleEach) at = putCounts(at, choice, offsets);
  at = putTimes(at, choice);
  if (labelBytes != 0) {
    at = putCounts(at, choice, labelOffsets);
    at = putLabels(at, choice);
  }
  store<u32>(at, crc32c(start, <u32>(at - start), 0));
  return <u32>(at - start) + CRC_BYTES;
}

// @ts-ignore: decorator
@inline
function rowAt(choice: usize, index: u32): u32 {
  return choice == 0 ? index : load<u32>(choice + ((<usize>index) << 2));
}

// @ts-ignore: decorator
@inline
function startOf(column: usize, row: u32): u32 {
  return load<u32>(column + ((<usize>row) << 2));
}

// @ts-ignore: decorator
@inline
function endOf(column: usize, row: u32): u32 {
  return load<u32>(column + ((<usize>row) << 2), 4);
}

function measure(choice: usize): void {
  const offsetsAt = addressOf(offsets);
  const labelOffsetsAt = addressOf(labelOffsets);
  let sampleSum: u64 = 0;
  let labelSum: u64 = 0;
  let other: u32 = 0;
  for (let i: u32 = 0; i < rows; i++) {
    const row = rowAt(choice, i);
    const count = endOf(offsetsAt, row) - startOf(offsetsAt, row);
    sampleSum += count;
    labelSum += endOf(labelOffsetsAt, row) - startOf(labelOffsetsAt, row);
    other |= count ^ 1;
  }
  // Only a host that names rows many times over gets here.
  if ((sampleSum << 3) > FRAME_BYTES_MAX || labelSum > FRAME_BYTES_MAX) unreachable();
  samples = <u32>sampleSum;
  labelBytes = <u32>labelSum;
  oneSampleEach = other == 0;
}

/** No frame of these rows is longer. */
function bytesMax(): u32 {
  const perRow: u64 = 16 + (oneSampleEach ? 0 : COUNT_BYTES_MAX) + (labelBytes == 0 ? 0 : COUNT_BYTES_MAX);
  const bytes = HEADER_BYTES + perRow * rows + (8 + TIME_BYTES_MAX) * samples + labelBytes + CRC_BYTES;
  if (bytes > FRAME_BYTES_MAX) unreachable();
  return <u32>bytes;
}

function putHeader(at: usize): usize {
  store<u32>(at, MAGIC);
  store<u16>(at, <u16>VERSION, 4);
  store<u16>(at, <u16>(oneSampleEach ? FLAG_ONE_SAMPLE : 0), 6);
  store<u32>(at, rows, 8);
  store<u32>(at, samples, 12);
  store<u32>(at, labelBytes, 16);
  return at + HEADER_BYTES;
}

function putIds(at: usize, choice: usize): usize {
  const idsAt = addressOf(ids);
  if (choice == 0) {
    memory.copy(at, idsAt, (<usize>rows) << 4);
  } else {
    for (let i: u32 = 0; i < rows; i++) {
      const row = rowAt(choice, i);
      v128.store(at + ((<usize>i) << 4), v128.load(idsAt + ((<usize>row) << 4)));
    }
  }
  return at + ((<usize>rows) << 4);
}

function putValues(at: usize, choice: usize): usize {
  const valuesAt = addressOf(values);
  if (choice == 0) {
    memory.copy(at, valuesAt, (<usize>samples) << 3);
    return at + ((<usize>samples) << 3);
  }
  const offsetsAt = addressOf(offsets);
  for (let i: u32 = 0; i < rows; i++) {
    const row = rowAt(choice, i);
    const end = endOf(offsetsAt, row);
    for (let s = startOf(offsetsAt, row); s < end; s++) {
      store<u64>(at, load<u64>(valuesAt + ((<usize>s) << 3)));
      at += 8;
    }
  }
  return at;
}

/** How many samples, or label bytes, each row has. */
function putCounts(at: usize, choice: usize, column: usize): usize {
  const columnAt = addressOf(column);
  for (let i: u32 = 0; i < rows; i++) {
    const row = rowAt(choice, i);
    at = putVarint(at, endOf(columnAt, row) - startOf(columnAt, row));
  }
  return at;
}

/** Distances from sample to sample. They wrap round, so that any two times have one. */
function putTimes(at: usize, choice: usize): usize {
  const offsetsAt = addressOf(offsets);
  const timesAt = addressOf(times);
  let previous: i64 = 0;
  for (let i: u32 = 0; i < rows; i++) {
    const row = rowAt(choice, i);
    const end = endOf(offsetsAt, row);
    for (let s = startOf(offsetsAt, row); s < end; s++) {
      const time = load<i64>(timesAt + ((<usize>s) << 3));
      const distance = time - previous;
      at = putVarint(at, <u64>((distance << 1) ^ (distance >> 63)));
      previous = time;
    }
  }
  return at;
}

function putLabels(at: usize, choice: usize): usize {
  const labelsAt = addressOf(labels);
  if (choice == 0) {
    memory.copy(at, labelsAt, labelBytes);
    return at + labelBytes;
  }
  const offsetsAt = addressOf(labelOffsets);
  for (let i: u32 = 0; i < rows; i++) {
    const row = rowAt(choice, i);
    const start = startOf(offsetsAt, row);
    const length = <usize>(endOf(offsetsAt, row) - start);
    if (length == 0) continue;
    memory.copy(at, labelsAt + start, length);
    at += length;
  }
  return at;
}

// @ts-ignore: decorator
@inline
function putVarint(at: usize, value: u64): usize {
  while (value >= 0x80) {
    store<u8>(at++, <u8>(value | 0x80));
    value >>= 7;
  }
  store<u8>(at++, <u8>value);
  return at;
}
