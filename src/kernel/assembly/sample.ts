/**
 * Sample { value = 1 double, timestamp = 2 int64 } in any legal form. The form that every sender writes is read where
 * series are walked (remote-write.ts).
 */
import { readVarint, skipField, varint } from "./canonical";

/** Timestamp and value (as bits) of the sample that `readSample` read. */
export let sampleTime: i64 = 0;
export let sampleValue: u64 = 0;

/** Any legal form of Sample in [p, end). False when malformed. */
export function readSample(p: usize, end: usize): bool {
  sampleTime = 0;
  sampleValue = 0;
  while (p < end) {
    p = readVarint(p, end);
    if (p == 0) return false;
    const tag = varint;
    if (tag == 9) {
      if (end - p < 8) return false;
      sampleValue = load<u64>(p);
      p += 8;
    } else if (tag == 16) {
      p = readVarint(p, end);
      if (p == 0) return false;
      sampleTime = <i64>varint;
    } else {
      if (tag >> 3 == 1 || tag >> 3 == 2) return false;
      p = skipField(tag, p, end);
      if (p == 0) return false;
    }
  }
  return true;
}
