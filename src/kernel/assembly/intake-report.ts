/**
 * What the host tells the intake about a request and what it hears back, beside the rows.
 *
 * Control block (address from intakeControl; the host writes 0..63, the kernel 64..):
 *
 *      0 decoded bytes allowed u32   4 tenant number u32 (> 0)  8 tenant name bytes u32   12 UTF-8 names u32
 *     16 latest timestamp f64       24 earliest timestamp f64 (both inclusive, within ±2^53)
 *     32 labels u32                 36 labels of info series    40 name bytes             44 value bytes
 *     48 wanted rows u32            52 resend pass u32 (0, 1)
 *     56 HA pairs that the tenant has u16, 58 and may have u16
 *     60 bytes of the name of the HA cluster label u16 (0: HA is off), 62 and of the replica label u16
 *     64 rows u32                   68 samples u32              72 series of request u32  76 samples of request u32
 *     80 exemplars u32              84 histograms u32           88 metadata u32           92 series with duplicates u32
 *     96 series not in table u32   100 decoded bytes u32       104 error records u32      108 new HA pairs u32
 *    112 latest accepted timestamp i64 (i64.MIN without samples)
 *    120 malformed at u32 (offset in decoded)
 *    128 by code 0..15: series u32, samples u32
 *    256 error records, 8 at most, the first ones: 512 bytes
 *          0 code u32 · 4 number of the series u32 · 8, 12 series offset, length in decoded · 16 label count u32
 *         20, 24 length of the name and of the value of the label concerned · 32 timestamp i64
 *         48 start of that name, 200 bytes at most · 256 start of that value, 200 bytes at most
 */
import { LABEL_DUPLICATE, labelCount } from "./canonical";
import { alloc } from "./memory";

const RECORDS_AT: usize = 256;
const RECORDS_MAX: u32 = 8;
const RECORD_BYTES: usize = 512;
const RECORD_TEXT_BYTES: u32 = 200;
const CONTROL_BYTES: usize = RECORDS_AT + <usize>RECORDS_MAX * RECORD_BYTES;

export let control: usize = 0;

export function newControl(): void {
  control = alloc(CONTROL_BYTES);
}

/** Before each request. The records need no clearing: their count says how many there are. */
export function clearReport(): void {
  memory.fill(control + 64, 0, RECORDS_AT - 64);
}

// @ts-ignore: decorator
@inline
export function bump(offset: usize): void {
  store<u32>(control + offset, load<u32>(control + offset) + 1);
}

/** Counts the series under its code and, if it is one of the first, records it for the message. */
export function blame(
  code: i32,
  seriesOffset: u32,
  seriesLength: u32,
  samples: u32,
  time: i64,
  slot: usize,
): void {
  const counter = control + 128 + ((<usize>code) << 3);
  store<u32>(counter, load<u32>(counter) + 1);
  store<u32>(counter, load<u32>(counter, 4) + samples, 4);
  const records = load<u32>(control, 104);
  if (records >= RECORDS_MAX) return;
  store<u32>(control, records + 1, 104);
  const record = control + RECORDS_AT + (<usize>records) * RECORD_BYTES;
  store<u32>(record, code);
  store<u32>(record, load<u32>(control, 72) - 1, 4);
  store<u32>(record, seriesOffset, 8);
  store<u32>(record, seriesLength, 12);
  store<u32>(record, code <= LABEL_DUPLICATE ? labelCount : 0, 16);
  const nameLength = slot == 0 ? 0 : load<u32>(slot, 4);
  const valueLength = slot == 0 ? 0 : load<u32>(slot, 12);
  store<u32>(record, nameLength, 20);
  store<u32>(record, valueLength, 24);
  store<i64>(record, time, 32);
  if (nameLength > 0) {
    memory.copy(record + 48, load<u32>(slot), min<u32>(nameLength, RECORD_TEXT_BYTES));
  }
  if (valueLength > 0) {
    memory.copy(record + 256, load<u32>(slot, 8), min<u32>(valueLength, RECORD_TEXT_BYTES));
  }
}
