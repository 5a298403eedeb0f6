/**
 * The slow path of a series that the table does not know: decode its labels, check them, and write the
 * canonical label bytes (rpc/ingester.ts): for each label in byte order of its name
 *
 *     varint name length | name | varint value length | value
 *
 * Labels with an empty value do not exist. A series of an HA pair is written without its replica label (`setHaLabels`), so
 * that it is one series whichever of the pair sends it.
 *
 * While working, a label is a slot of 16 bytes in `labelSlots`:
 *
 *     0 name address u32 · 4 name length u32 · 8 value address u32 · 12 value length u32
 *
 * No memory is taken per series once the buffers have grown, and nothing becomes a string.
 */
import { addressOf, capacityOf, newBuffer, reserve, SLACK_BYTES } from "./guarded-buffer";

/** Codes of a series that breaks a rule, in the order in which the rules are checked. */
export const SERIES_VALID: i32 = 0;
export const METRIC_NAME_MISSING: i32 = 1;
export const METRIC_NAME_INVALID: i32 = 2;
export const TOO_MANY_LABELS: i32 = 3;
export const TOO_MANY_INFO_LABELS: i32 = 4;
export const LABEL_NAME_INVALID: i32 = 5;
export const LABEL_NAME_TOO_LONG: i32 = 6;
export const LABEL_VALUE_INVALID: i32 = 7;
export const LABEL_VALUE_TOO_LONG: i32 = 8;
export const LABEL_DUPLICATE: i32 = 9;
/** 10 to 12 concern samples: remote-write.ts. */
export const HA_VALUE_TOO_LONG: i32 = 13;

/** The bytes are not protobuf: the whole request is refused. Shared with remote-write.ts. */
export const MALFORMED: i32 = -3;

/** Labels of one series, whatever the tenant's limit says: bounds the work of sorting. */
const LABELS_HARD_MAX: u32 = 65535;

export let labelSlots: usize = 0;
export let canonical: usize = 0;
/** Length of the canonical bytes in `canonical`, which start at its address. */
export let canonicalLength: u32 = 0;
/** Labels counted (without empty values), and the slot to blame for a code that concerns one label. */
export let labelCount: u32 = 0;
export let blamedSlot: usize = 0;

/** Cluster and replica become keys that distributors tell each other (docs/formats/ha-replica.md). */
const HA_VALUE_BYTES_MAX: u32 = 256;

/** Names of the labels that say which pair of senders a series comes from, and which of the pair. */
let clusterLabel: usize = 0;
let clusterLabelLength: u32 = 0;
let replicaLabel: usize = 0;
let replicaLabelLength: u32 = 0;

/** Their values in the series just checked. The lengths are 0 unless it has both: it then lost its replica label. */
export let haCluster: usize = 0;
export let haClusterLength: u32 = 0;
export let haReplica: usize = 0;
export let haReplicaLength: u32 = 0;

let characterClasses: usize = 0;
const CLASS_NAME_START: u8 = 1;
const CLASS_NAME: u8 = 2;
const CLASS_METRIC_START: u8 = 4;
const CLASS_METRIC: u8 = 8;

export function prepareCanonical(): void {
  labelSlots = newBuffer();
  canonical = newBuffer();
  const at = reserve(newBuffer(), 0, 256);
  memory.fill(at, 0, 256);
  for (let c: u32 = 0; c < 256; c++) {
    const letter = ((c | 32) >= 97 && (c | 32) <= 122) || c == 95;
    const digit = c >= 48 && c <= 57;
    let bits: u8 = 0;
    if (letter) bits = CLASS_NAME_START | CLASS_NAME | CLASS_METRIC_START | CLASS_METRIC;
    if (digit) bits = CLASS_NAME | CLASS_METRIC;
    if (c == 58) bits = CLASS_METRIC_START | CLASS_METRIC;
    store<u8>(at + c, bits);
  }
  characterClasses = at;
}

/** Value of the varint that `readVarint` read. */
export let varint: u64 = 0;

/** Address after the varint at `p`, or 0 when it is cut off or longer than ten bytes. */
export function readVarint(p: usize, end: usize): usize {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 70; shift += 7) {
    if (p >= end) return 0;
    const byte = load<u8>(p++);
    value |= <u64>(byte & 127) << shift;
    if (byte < 128) {
      varint = value;
      return p;
    }
  }
  return 0;
}

/** Address after a field of no interest whose tag has been read, or 0. Groups are refused. */
export function skipField(tag: u64, p: usize, end: usize): usize {
  if (tag > 0xffffffff || tag >> 3 == 0) return 0;
  const wireType = <u32>tag & 7;
  if (wireType == 0) return readVarint(p, end);
  if (wireType == 1) return end - p < 8 ? 0 : p + 8;
  if (wireType == 5) return end - p < 4 ? 0 : p + 4;
  if (wireType != 2) return 0;
  p = readVarint(p, end);
  if (p == 0 || varint > <u64>(end - p)) return 0;
  return p + <usize>varint;
}

/** Reads Label{name = 1, value = 2} in [p, end) into the slot. */
function decodeLabel(p: usize, end: usize, slot: usize): i32 {
  store<u64>(slot, 0);
  store<u64>(slot, 0, 8);
  while (p < end) {
    let tag: u64 = load<u8>(p);
    if (tag < 128) p++;
    else {
      p = readVarint(p, end);
      if (p == 0) return MALFORMED;
      tag = varint;
    }
    if (tag >> 3 != 1 && tag >> 3 != 2) {
      p = skipField(tag, p, end);
      if (p == 0) return MALFORMED;
      continue;
    }
    if ((tag & 7) != 2 || p >= end) return MALFORMED;
    let length: u64 = load<u8>(p);
    if (length < 128) p++;
    else {
      p = readVarint(p, end);
      if (p == 0) return MALFORMED;
      length = varint;
    }
    if (length > <u64>(end - p)) return MALFORMED;
    const target = slot + (tag == 10 ? 0 : 8);
    store<u32>(target, <u32>p);
    store<u32>(target, <u32>length, 4);
    p += <usize>length;
  }
  return 0;
}

/**
 * Decodes the run of label fields [p, end) (each with its tag 10) into slots, without those of empty value.
 * Sets labelCount. Counting goes on past the hard limit, storing does not.
 */
function decodeLabels(p: usize, end: usize): i32 {
  labelCount = 0;
  let slots = reserve(labelSlots, 0, 64 * 16);
  let slotsMax = capacityOf(labelSlots) >> 4;
  while (p < end) {
    p = readVarint(p, end);
    if (p == 0) return MALFORMED;
    p = readVarint(p, end);
    if (p == 0 || varint > <u64>(end - p)) return MALFORMED;
    const labelEnd = p + <usize>varint;
    const stored = min<u32>(labelCount, LABELS_HARD_MAX);
    if (stored >= slotsMax) {
      slots = reserve(labelSlots, stored << 4, stored << 5);
      slotsMax = capacityOf(labelSlots) >> 4;
    }
    const slot = slots + ((<usize>stored) << 4);
    const code = decodeLabel(p, labelEnd, slot);
    if (code < 0) return code;
    if (load<u32>(slot, 12) != 0) labelCount++;
    p = labelEnd;
  }
  return 0;
}

/** Less than, equal to or greater than 0, as byte strings compare. May read 8 bytes from the start of each. */
function compareBytes(a: usize, aLength: u32, b: usize, bLength: u32): i32 {
  const common = min<u32>(aLength, bLength);
  let i: u32 = 0;
  while (i + 8 <= common) {
    const x = load<u64>(a + i);
    const y = load<u64>(b + i);
    if (x != y) return bswap<u64>(x) < bswap<u64>(y) ? -1 : 1;
    i += 8;
  }
  while (i < common) {
    const x = <i32>load<u8>(a + i);
    const y = <i32>load<u8>(b + i);
    if (x != y) return x - y;
    i++;
  }
  return <i32>aLength - <i32>bLength;
}

// @ts-ignore: decorator
@inline
function compareSlots(a: usize, b: usize): i32 {
  return compareBytes(load<u32>(a), load<u32>(a, 4), load<u32>(b), load<u32>(b, 4));
}

function isSorted(slots: usize, count: u32): bool {
  for (let i: u32 = 1; i < count; i++) {
    const at = slots + ((<usize>i) << 4);
    if (compareSlots(at - 16, at) > 0) return false;
  }
  return true;
}

/** Shell sort (gaps by 3h + 1): in place, and n^1.5 at worst, so a hostile series cannot make it quadratic. */
function sortSlots(slots: usize, count: u32): void {
  let gap: u32 = 1;
  while (gap < count / 3) gap = gap * 3 + 1;
  for (; gap > 0; gap /= 3) {
    const gapBytes = (<usize>gap) << 4;
    for (let i = gap; i < count; i++) {
      const from = slots + ((<usize>i) << 4);
      const moved = v128.load(from);
      let at = from;
      // The moved slot is kept past the end (there is room for one more) so that both sides have an address.
      const held = slots + ((<usize>count) << 4);
      v128.store(held, moved);
      while (at >= slots + gapBytes && compareSlots(at - gapBytes, held) > 0) {
        v128.store(at, v128.load(at - gapBytes));
        at -= gapBytes;
      }
      v128.store(at, moved);
    }
  }
}

function isName(at: usize, length: u32, start: u8, rest: u8): bool {
  if (length == 0) return false;
  const classes = characterClasses;
  if ((load<u8>(classes + load<u8>(at)) & start) == 0) return false;
  for (let i: u32 = 1; i < length; i++) {
    if ((load<u8>(classes + load<u8>(at + i)) & rest) == 0) return false;
  }
  return true;
}

/** Well-formed UTF-8 as RFC 3629 and Go have it: no overlong forms, no surrogates, nothing above U+10FFFF. */
function isUtf8(at: usize, length: u32): bool {
  const end = at + length;
  let p = at;
  while (p < end) {
    while (end - p >= 8 && (load<u64>(p) & 0x8080808080808080) == 0) p += 8;
    if (p >= end) return true;
    const lead: u32 = load<u8>(p);
    if (lead < 0x80) {
      p++;
      continue;
    }
    let following: u32;
    let low: u32 = 0x80;
    let high: u32 = 0xbf;
    if (lead < 0xc2) return false;
    if (lead < 0xe0) following = 1;
    else if (lead < 0xf0) {
      following = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead < 0xf5) {
      following = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else return false;
    if (end - p <= following) return false;
    const second: u32 = load<u8>(p, 1);
    if (second < low || second > high) return false;
    for (let i: u32 = 2; i <= following; i++) if ((load<u8>(p + i) & 0xc0) != 0x80) return false;
    p += following + 1;
  }
  return true;
}

// @ts-ignore: decorator
@inline
function isMetricLabel(slot: usize): bool {
  if (load<u32>(slot, 4) != 8) return false;
  // "__name__", little-endian.
  return load<u64>(load<u32>(slot)) == 0x5f5f656d616e5f5f;
}

/** The value ends in "_info": such series may have more labels. */
function isInfoMetric(slot: usize): bool {
  const length = load<u32>(slot, 12);
  if (length < 5) return false;
  const tail = <usize>load<u32>(slot, 8) + length - 5;
  return load<u8>(tail) == 0x5f && load<u32>(tail, 1) == 0x6f666e69;
}

/** For the series of one request; a `clusterLength` of 0 turns HA off. The names must stay where they are meanwhile. */
export function setHaLabels(
  cluster: usize,
  clusterLength: u32,
  replica: usize,
  replicaLength: u32,
): void {
  clusterLabel = cluster;
  clusterLabelLength = clusterLength;
  replicaLabel = replica;
  replicaLabelLength = replicaLength;
  haClusterLength = 0;
  haReplicaLength = 0;
}

// @ts-ignore: decorator
@inline
function isNamed(slot: usize, name: usize, length: u32): bool {
  return load<u32>(slot, 4) == length && compareBytes(load<u32>(slot), length, name, length) == 0;
}

/** Takes the replica label out of a series that has it and a cluster label. The slots are not sorted yet. */
function takeHaLabels(slots: usize): i32 {
  haClusterLength = 0;
  haReplicaLength = 0;
  if (clusterLabelLength == 0 || labelCount > LABELS_HARD_MAX) return SERIES_VALID;
  let cluster: usize = 0;
  let replica: usize = 0;
  for (let i: u32 = 0; i < labelCount; i++) {
    const slot = slots + ((<usize>i) << 4);
    if (isNamed(slot, replicaLabel, replicaLabelLength)) {
      blamedSlot = slot;
      if (replica != 0) return LABEL_DUPLICATE;
      replica = slot;
    } else if (isNamed(slot, clusterLabel, clusterLabelLength)) cluster = slot;
  }
  if (cluster == 0 || replica == 0) return SERIES_VALID;
  if (!isUtf8(load<u32>(replica, 8), load<u32>(replica, 12))) return LABEL_VALUE_INVALID;
  if (load<u32>(replica, 12) > HA_VALUE_BYTES_MAX) return HA_VALUE_TOO_LONG;
  blamedSlot = cluster;
  if (load<u32>(cluster, 12) > HA_VALUE_BYTES_MAX) return HA_VALUE_TOO_LONG;
  haCluster = load<u32>(cluster, 8);
  haClusterLength = load<u32>(cluster, 12);
  haReplica = load<u32>(replica, 8);
  haReplicaLength = load<u32>(replica, 12);
  labelCount--;
  // The others move up, so that labels that came sorted need no sorting.
  const last = slots + ((<usize>labelCount) << 4);
  for (let slot = replica; slot < last; slot += 16) v128.store(slot, v128.load(slot + 16));
  return SERIES_VALID;
}

function checkSeries(
  slots: usize,
  utf8Names: bool,
  labelsMax: u32,
  infoLabelsMax: u32,
): i32 {
  const stored = min<u32>(labelCount, LABELS_HARD_MAX);
  let metric: usize = 0;
  for (let i: u32 = 0; i < stored; i++) {
    const slot = slots + ((<usize>i) << 4);
    if (isMetricLabel(slot)) {
      metric = slot;
      break;
    }
  }
  if (metric == 0) return METRIC_NAME_MISSING;
  blamedSlot = metric;
  const value = <usize>load<u32>(metric, 8);
  const valueLength = load<u32>(metric, 12);
  const valid = utf8Names
    ? isUtf8(value, valueLength)
    : isName(value, valueLength, CLASS_METRIC_START, CLASS_METRIC);
  if (!valid) return METRIC_NAME_INVALID;
  if (labelCount > min<u32>(labelsMax, LABELS_HARD_MAX)) {
    if (!isInfoMetric(metric)) return TOO_MANY_LABELS;
    if (labelCount > min<u32>(max<u32>(labelsMax, infoLabelsMax), LABELS_HARD_MAX)) {
      return TOO_MANY_INFO_LABELS;
    }
  }
  return SERIES_VALID;
}

function checkLabels(slots: usize, utf8Names: bool, nameMax: u32, valueMax: u32): i32 {
  for (let i: u32 = 0; i < labelCount; i++) {
    const slot = slots + ((<usize>i) << 4);
    blamedSlot = slot;
    const name = <usize>load<u32>(slot);
    const nameLength = load<u32>(slot, 4);
    const value = <usize>load<u32>(slot, 8);
    const valueLength = load<u32>(slot, 12);
    const valid = utf8Names
      ? nameLength > 0 && isUtf8(name, nameLength)
      : isName(name, nameLength, CLASS_NAME_START, CLASS_NAME);
    if (!valid) return LABEL_NAME_INVALID;
    if (nameLength > nameMax) return LABEL_NAME_TOO_LONG;
    if (!isUtf8(value, valueLength)) return LABEL_VALUE_INVALID;
    if (valueLength > valueMax) return LABEL_VALUE_TOO_LONG;
    if (i > 0 && compareSlots(slot - 16, slot) == 0) return LABEL_DUPLICATE;
  }
  return SERIES_VALID;
}

function writeVarint(p: usize, value: u32): usize {
  while (value >= 128) {
    store<u8>(p++, <u8>(value | 128));
    value >>= 7;
  }
  store<u8>(p, <u8>value);
  return p + 1;
}

/** Copies in steps of 16: runs over into the slack of both buffers. */
// @ts-ignore: decorator
@inline
export function writeBytes(p: usize, from: usize, length: u32): usize {
  const end = p + length;
  while (p < end) {
    v128.store(p, v128.load(from));
    p += 16;
    from += 16;
  }
  return end;
}

function writeCanonical(slots: usize, rawLength: u32): void {
  // Never longer than the raw bytes: those have the same strings, and tags on top of the lengths.
  const start = reserve(canonical, 0, rawLength);
  let p = start;
  for (let i: u32 = 0; i < labelCount; i++) {
    const slot = slots + ((<usize>i) << 4);
    const nameLength = load<u32>(slot, 4);
    const valueLength = load<u32>(slot, 12);
    p = writeVarint(p, nameLength);
    p = writeBytes(p, load<u32>(slot), nameLength);
    p = writeVarint(p, valueLength);
    p = writeBytes(p, load<u32>(slot, 8), valueLength);
  }
  canonicalLength = <u32>(p - start);
}

/**
 * Checks the label fields in [at, at + length) and writes their canonical form. 0, a code above, or MALFORMED.
 * The input must be followed by slack.
 */
export function canonicalise(
  at: usize,
  length: u32,
  utf8Names: bool,
  labelsMax: u32,
  infoLabelsMax: u32,
  nameMax: u32,
  valueMax: u32,
): i32 {
  blamedSlot = 0;
  let code = decodeLabels(at, at + length);
  if (code < 0) return code;
  const slots = addressOf(labelSlots);
  code = takeHaLabels(slots);
  if (code != SERIES_VALID) return code;
  code = checkSeries(slots, utf8Names, labelsMax, infoLabelsMax);
  if (code != SERIES_VALID) return code;
  if (!isSorted(slots, labelCount)) sortSlots(slots, labelCount);
  code = checkLabels(slots, utf8Names, nameMax, valueMax);
  if (code != SERIES_VALID) return code;
  writeCanonical(slots, length);
  return SERIES_VALID;
}
