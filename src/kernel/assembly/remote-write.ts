/**
 * Remote write 1.0: one compressed body in, rows by SeriesId out.
 *
 *     WriteRequest { timeseries = 1 { labels = 1 { name = 1, value = 2 }
 *                                     samples = 2 { value = 1 double, timestamp = 2 int64 }
 *                                     exemplars = 3, histograms = 4 }
 *                    metadata = 3 }
 *
 * Fields may come in any order; unknown fields are skipped; a known field of another wire type, a cut-off field
 * or a group is MALFORMED and refuses the whole request. Exemplars, histograms and metadata are passed over
 * whole and counted. Labels of one series normally lie together; if not they are gathered first.
 *
 * A series whose raw label bytes the table knows (known-series.ts) is valid and has its id at hand; any other
 * goes through canonical.ts. A series that breaks a rule, or one of whose samples does, is left out as a whole
 * and recorded; the rest goes on.
 *
 * Buffers (guarded-buffer.ts), all reused from request to request:
 *
 *     body      compressed bytes, written by the host          tenant   name of the tenant | 16 bytes for an id
 *     decoded   WriteRequest                                   gathered labels that did not lie together
 *     ids 16 B/row · tokens u32/row · offsets u32/row + 1 · times i64/sample · values f64/sample
 *     wanted    u32 row numbers, rising (resend pass)          labels, labelOffsets u32/row + 1 (resend pass)
 *     seen      u32 slots of a hash table over the timestamps of one series, for duplicates
 *
 * Control block (address from intakeControl; the host writes 0..63, the kernel 64..):
 *
 *      0 decoded bytes allowed u32   4 tenant number u32 (> 0)  8 tenant name bytes u32   12 UTF-8 names u32
 *     16 latest timestamp f64       24 earliest timestamp f64 (both inclusive, within ±2^53)
 *     32 labels u32                 36 labels of info series    40 name bytes             44 value bytes
 *     48 wanted rows u32            52 resend pass u32 (0, 1)
 *     64 rows u32                   68 samples u32              72 series of request u32  76 samples of request u32
 *     80 exemplars u32              84 histograms u32           88 metadata u32           92 duplicates u32
 *     96 series not in table u32   100 decoded bytes u32       104 error records u32     108 series with duplicates u32
 *    112 latest accepted timestamp i64 (i64.MIN without samples)
 *    120 malformed at u32 (offset in decoded)
 *    128 by code 0..15: series u32, samples u32
 *    256 error records, 8 at most, the first ones: 512 bytes
 *          0 code u32 · 4 number of the series u32 · 8, 12 series offset, length in decoded · 16 label count u32
 *         20, 24 length of the name and of the value of the label concerned · 32 timestamp i64
 *         48 start of that name, 200 bytes at most · 256 start of that value, 200 bytes at most
 */
import {
  blamedSlot,
  canonical,
  canonicalise,
  canonicalLength,
  LABEL_DUPLICATE,
  labelCount,
  labelSlots,
  MALFORMED,
  METRIC_NAME_MISSING,
  prepareCanonical,
  readVarint,
  skipField,
  varint,
} from "./canonical";
import { addressOf, capacityOf, guardIntact, newBuffer, reserve } from "./guarded-buffer";
import { hashHigh, hashLow, murmur3 } from "./hash";
import { findSeries, insertSeries } from "./known-series";
import { alloc } from "./memory";
import { snappyDeclaredLength, snappyDecode } from "./snappy";

const BAD_SNAPPY: i32 = -1;
const TOO_LARGE: i32 = -2;
const TOO_MANY_SAMPLES: i32 = -4;

const TOO_FAR_IN_FUTURE: i32 = 10;
const TOO_FAR_IN_PAST: i32 = 11;
const DUPLICATE_TIMESTAMPS: i32 = 12;

const RECORDS_AT: usize = 256;
const RECORDS_MAX: u32 = 8;
const RECORD_BYTES: usize = 512;
const RECORD_TEXT_BYTES: u32 = 200;
const CONTROL_BYTES: usize = RECORDS_AT + <usize>RECORDS_MAX * RECORD_BYTES;

let control: usize = 0;
let body: usize = 0;
let tenantName: usize = 0;
let decoded: usize = 0;
let gathered: usize = 0;
let ids: usize = 0;
let tokens: usize = 0;
let offsets: usize = 0;
let times: usize = 0;
let values: usize = 0;
let wanted: usize = 0;
let labels: usize = 0;
let labelOffsets: usize = 0;
let seen: usize = 0;

let hashSeed: u64 = 0;
let decodedAt: usize = 0;
let rowCount: u32 = 0;
let sampleCount: u32 = 0;
let samplesMax: u32 = 0;
/** Rows passed, written or not: in the resend pass the numbers of the first pass. */
let rowNumber: u32 = 0;
let wantedIndex: u32 = 0;
let labelBytes: u32 = 0;
let latestTime: i64 = 0;
/** Limits of the request, read once from the control block. */
let timeMax: i64 = 0;
let timeMin: i64 = 0;
let tenant: u32 = 0;
let resend: bool = false;

/** Must be called once, before anything else. `seedLow/High`: chance, so that nobody can aim at one slot. */
export function intakeStart(seedLow: u32, seedHigh: u32): usize {
  hashSeed = (<u64>seedHigh << 32) | seedLow;
  control = alloc(CONTROL_BYTES);
  body = newBuffer();
  tenantName = newBuffer();
  decoded = newBuffer();
  gathered = newBuffer();
  ids = newBuffer();
  tokens = newBuffer();
  offsets = newBuffer();
  times = newBuffer();
  values = newBuffer();
  wanted = newBuffer();
  labels = newBuffer();
  labelOffsets = newBuffer();
  seen = newBuffer();
  prepareCanonical();
  return control;
}

/** Where the host writes: 0 body, 1 name of the tenant, 2 wanted rows. Room for `length` bytes. */
export function intakeInput(which: u32, length: u32): usize {
  if (which == 0) return reserve(body, 0, length);
  if (which == 1) return reserve(tenantName, 0, length + 16);
  return reserve(wanted, 0, length);
}

/** Where the host reads: 0 decoded, 1 ids, 2 tokens, 3 offsets, 4 times, 5 values, 6 labels, 7 label offsets. */
export function intakeOutput(which: u32): usize {
  if (which == 0) return addressOf(decoded);
  if (which == 1) return addressOf(ids);
  if (which == 2) return addressOf(tokens);
  if (which == 3) return addressOf(offsets);
  if (which == 4) return addressOf(times);
  if (which == 5) return addressOf(values);
  if (which == 6) return addressOf(labels);
  return addressOf(labelOffsets);
}

/** Bytes of the largest buffer, to tell whether one request of unusual size has left much behind. */
export function intakeLargestBuffer(): u32 {
  let largest = max<u32>(capacityOf(body), capacityOf(decoded));
  largest = max<u32>(largest, max<u32>(capacityOf(times), capacityOf(labels)));
  return max<u32>(largest, max<u32>(capacityOf(ids), capacityOf(gathered)));
}

/** 1 when no guard around any buffer was written. */
export function intakeGuardsIntact(): u32 {
  const intact =
    guardIntact(body) &&
    guardIntact(tenantName) &&
    guardIntact(decoded) &&
    guardIntact(gathered) &&
    guardIntact(ids) &&
    guardIntact(tokens) &&
    guardIntact(offsets) &&
    guardIntact(times) &&
    guardIntact(values) &&
    guardIntact(wanted) &&
    guardIntact(labels) &&
    guardIntact(labelOffsets) &&
    guardIntact(seen) &&
    guardIntact(canonical) &&
    guardIntact(labelSlots);
  return intact ? 1 : 0;
}

/** Decodes the body of `bodyLength` bytes that the host wrote. 0, or a negative code and nothing is to be kept. */
export function intake(bodyLength: u32): i32 {
  memory.fill(control + 64, 0, RECORDS_AT - 64);
  const source = addressOf(body);
  const declared = snappyDeclaredLength(source, bodyLength);
  if (declared < 0) return BAD_SNAPPY;
  store<u32>(control, <u32>declared, 100);
  if (declared > <i64>load<u32>(control)) return TOO_LARGE;
  // An element of at most 5 bytes makes at most 64: a declaration beyond that is a lie, and not worth memory.
  if (declared > <i64>bodyLength * 64) return BAD_SNAPPY;
  decodedAt = reserve(decoded, 0, <u32>declared);
  if (snappyDecode(source, bodyLength, decodedAt, <u32>declared) < 0) return BAD_SNAPPY;
  begin(<u32>declared);
  const code = walkRequest(decodedAt, decodedAt + <usize>declared);
  if (code < 0) return code;
  store<u32>(addressOf(offsets) + ((<usize>rowCount) << 2), sampleCount);
  if (resend) store<u32>(addressOf(labelOffsets) + ((<usize>rowCount) << 2), labelBytes);
  store<u32>(control, rowCount, 64);
  store<u32>(control, sampleCount, 68);
  store<i64>(control, latestTime, 112);
  return 0;
}

function begin(decodedBytes: u32): void {
  rowCount = 0;
  sampleCount = 0;
  rowNumber = 0;
  wantedIndex = 0;
  labelBytes = 0;
  latestTime = i64.MIN_VALUE;
  timeMax = <i64>load<f64>(control, 16);
  timeMin = <i64>load<f64>(control, 24);
  tenant = load<u32>(control, 4);
  resend = load<u32>(control, 52) != 0;
  // A sample with a timestamp takes 9 bytes or more: only a body made to fill memory has more than this.
  samplesMax = max<u32>(decodedBytes >> 3, 65536);
  reserve(ids, 0, 16 * 256);
  reserve(tokens, 0, 4 * 256);
  reserve(offsets, 0, 4 * 256);
  reserve(times, 0, 8 * 1024);
  reserve(values, 0, 8 * 1024);
  if (resend) reserve(labelOffsets, 0, 4 * 256);
}

function malformed(at: usize): i32 {
  store<u32>(control, <u32>(at - decodedAt), 120);
  return MALFORMED;
}

// @ts-ignore: decorator
@inline
function bump(offset: usize): void {
  store<u32>(control + offset, load<u32>(control + offset) + 1);
}

function walkRequest(start: usize, end: usize): i32 {
  let p = start;
  while (p < end) {
    const fieldAt = p;
    let tag: u64 = load<u8>(p);
    if (tag < 128) p++;
    else {
      p = readVarint(p, end);
      if (p == 0) return malformed(fieldAt);
      tag = varint;
    }
    if (tag != 10) {
      const field = tag >> 3;
      if (field == 1 || (field == 3 && tag != 26)) return malformed(fieldAt);
      if (field == 3) bump(88);
      p = skipField(tag, p, end);
      if (p == 0) return malformed(fieldAt);
      continue;
    }
    p = readVarint(p, end);
    if (p == 0 || varint > <u64>(end - p)) return malformed(fieldAt);
    const seriesEnd = p + <usize>varint;
    const code = walkSeries(p, seriesEnd);
    if (code < 0) return code;
    p = seriesEnd;
  }
  return 0;
}

/** Samples that fit before the buffers must grow or the request is refused. */
function sampleCapacity(): u32 {
  return min<u32>(samplesMax, min<u32>(capacityOf(times), capacityOf(values)) >> 3);
}

/** Timestamp and value (as bits) of the sample that `readSample` read. */
let sampleTime: i64 = 0;
let sampleValue: u64 = 0;

/** Any legal form of Sample in [p, end). False when malformed. */
function readSample(p: usize, end: usize): bool {
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

/** Reads one TimeSeries, looks it up, and appends its row or records what is wrong with it. */
function walkSeries(start: usize, end: usize): i32 {
  let p = start;
  let labelsAt = start;
  let labelsEnd: usize = 0;
  let scattered = false;
  const first = sampleCount;
  let count = first;
  let timesAt = addressOf(times);
  let valuesAt = addressOf(values);
  let capacity = sampleCapacity();
  let rising = true;
  let previous: i64 = i64.MIN_VALUE;
  let latest: i64 = i64.MIN_VALUE;
  let badSample: i32 = 0;
  let badTime: i64 = 0;
  while (p < end) {
    const fieldAt = p;
    let tag: u64 = load<u8>(p);
    if (tag < 128) p++;
    else {
      p = readVarint(p, end);
      if (p == 0) return malformed(fieldAt);
      tag = varint;
    }
    if (tag == 10 || tag == 18) {
      if (p >= end) return malformed(fieldAt);
      let length: u64 = load<u8>(p);
      if (length < 128) p++;
      else {
        p = readVarint(p, end);
        if (p == 0) return malformed(fieldAt);
        length = varint;
      }
      if (length > <u64>(end - p)) return malformed(fieldAt);
      const fieldEnd = p + <usize>length;
      if (tag == 10) {
        if (labelsEnd == 0) labelsAt = fieldAt;
        else if (labelsEnd != fieldAt) scattered = true;
        labelsEnd = fieldEnd;
        p = fieldEnd;
        continue;
      }
      let time: i64 = 0;
      let value: u64 = 0;
      let packed: u64 = 0;
      let last: u64 = 0;
      // 09 value 10 timestamp of up to 8 bytes, as every sender writes it. Reads at most into the slack.
      if (length >= 11 && load<u8>(p) == 9 && load<u8>(p, 9) == 16) {
        packed = load<u64>(p, 10);
        last = ~packed & 0x8080808080808080;
      }
      if (last != 0 && p + 10 + <usize>((ctz<u64>(last) + 1) >> 3) == fieldEnd) {
        value = load<u64>(p, 1);
        packed &= (last ^ (last - 1)) & 0x7f7f7f7f7f7f7f7f;
        packed = (packed & 0x007f007f007f007f) | ((packed & 0x7f007f007f007f00) >> 1);
        packed = (packed & 0x00003fff00003fff) | ((packed & 0x3fff00003fff0000) >> 2);
        time = <i64>((packed & 0x0fffffff) | ((packed & 0x0fffffff00000000) >> 4));
      } else {
        if (!readSample(p, fieldEnd)) return malformed(fieldAt);
        time = sampleTime;
        value = sampleValue;
      }
      p = fieldEnd;
      if (time > timeMax || time < timeMin) {
        if (badSample == 0) {
          badSample = time > timeMax ? TOO_FAR_IN_FUTURE : TOO_FAR_IN_PAST;
          badTime = time;
        }
      }
      if (count >= capacity) {
        if (count >= samplesMax) return TOO_MANY_SAMPLES;
        timesAt = reserve(times, count << 3, (count + 1) << 3);
        valuesAt = reserve(values, count << 3, (count + 1) << 3);
        capacity = sampleCapacity();
      }
      store<i64>(timesAt + ((<usize>count) << 3), time);
      store<u64>(valuesAt + ((<usize>count) << 3), value);
      count++;
      // Equal first timestamps at i64.MIN are out of range anyway.
      if (time <= previous) rising = false;
      previous = time;
      latest = max<i64>(latest, time);
      continue;
    }
    const field = tag >> 3;
    if (field == 1 || field == 2) return malformed(fieldAt);
    if (field == 3 || field == 4) {
      if ((tag & 7) != 2) return malformed(fieldAt);
      bump(field == 3 ? 80 : 84);
    }
    p = skipField(tag, p, end);
    if (p == 0) return malformed(fieldAt);
  }
  bump(72);
  store<u32>(control, load<u32>(control, 76) + (count - first), 76);
  if (labelsEnd == 0) {
    blame(METRIC_NAME_MISSING, start, end, count - first, 0, 0);
    return 0;
  }
  let labelsLength = <u32>(labelsEnd - labelsAt);
  if (scattered) {
    labelsLength = gatherLabels(start, end);
    labelsAt = addressOf(gathered);
  }
  return finishSeries(
    labelsAt,
    labelsLength,
    start,
    end,
    count,
    rising,
    badSample,
    badTime,
    latest,
  );
}

/** Copies the label fields of a (well-formed) series together; returns their length. */
function gatherLabels(start: usize, end: usize): u32 {
  const target = reserve(gathered, 0, <u32>(end - start));
  let out = target;
  let p = start;
  while (p < end) {
    const fieldAt = p;
    p = readVarint(p, end);
    const tag = varint;
    p = skipField(tag, p, end);
    if (tag != 10) continue;
    memory.copy(out, fieldAt, p - fieldAt);
    out += p - fieldAt;
  }
  return <u32>(out - target);
}

/** Samples of the series are in [sampleCount, count): kept, or forgotten by leaving sampleCount as it is. */
function finishSeries(
  labelsAt: usize,
  labelsLength: u32,
  start: usize,
  end: usize,
  count: u32,
  rising: bool,
  badSample: i32,
  badTime: i64,
  latest: i64,
): i32 {
  const samples = count - sampleCount;
  murmur3(labelsAt, labelsLength, hashSeed ^ (<u64>tenant * 0x9e3779b97f4a7c15));
  const entry = findSeries(hashLow, hashHigh, tenant);
  let idLow: u64 = 0;
  let idHigh: u64 = 0;
  let token: u32 = 0;
  if (entry != 0) {
    idLow = load<u64>(entry, 16);
    idHigh = load<u64>(entry, 24);
    token = load<u32>(entry, 32);
  } else {
    bump(96);
    const rawLow = hashLow;
    const rawHigh = hashHigh;
    const code = validate(labelsAt, labelsLength);
    if (code < 0) return malformed(start);
    if (code > 0) {
      blame(code, start, end, samples, 0, code == METRIC_NAME_MISSING ? 0 : blamedSlot);
      return 0;
    }
    murmur3(addressOf(canonical), canonicalLength, 0);
    idLow = hashLow;
    idHigh = hashHigh;
    token = ringToken(idLow, idHigh);
    insertSeries(rawLow, rawHigh, tenant, idLow, idHigh, token);
  }
  if (badSample != 0) {
    blame(badSample, start, end, samples, badTime, 0);
    return 0;
  }
  if (samples == 0) return 0;
  if (!rising) count = dropDuplicates(count, start, end);
  const number = rowNumber++;
  if (resend) {
    if (wantedIndex >= load<u32>(control, 48)) return 0;
    if (load<u32>(addressOf(wanted) + ((<usize>wantedIndex) << 2)) != number) return 0;
    wantedIndex++;
    if (entry != 0 && validate(labelsAt, labelsLength) != 0) return malformed(start);
    appendLabels();
  }
  appendRow(idLow, idHigh, token, count);
  latestTime = max<i64>(latestTime, latest);
  return 0;
}

function validate(labelsAt: usize, labelsLength: u32): i32 {
  return canonicalise(
    labelsAt,
    labelsLength,
    load<u32>(control, 12) != 0,
    load<u32>(control, 32),
    load<u32>(control, 36),
    load<u32>(control, 40),
    load<u32>(control, 44),
  );
}

/** 32 bits of the hash of the tenant's name and the id. */
function ringToken(idLow: u64, idHigh: u64): u32 {
  const at = addressOf(tenantName);
  const length = load<u32>(control, 8);
  store<u64>(at + length, idLow);
  store<u64>(at + length, idHigh, 8);
  murmur3(at, length + 16, 0);
  return <u32>hashLow;
}

function appendRow(idLow: u64, idHigh: u64, token: u32, count: u32): void {
  const row = <usize>rowCount;
  const idsAt = reserve(ids, <u32>row << 4, (<u32>row + 1) << 4);
  const tokensAt = reserve(tokens, <u32>row << 2, (<u32>row + 1) << 2);
  // One more than rows: the end of the last one.
  const offsetsAt = reserve(offsets, <u32>row << 2, (<u32>row + 2) << 2);
  store<u64>(idsAt + (row << 4), idLow);
  store<u64>(idsAt + (row << 4), idHigh, 8);
  store<u32>(tokensAt + (row << 2), token);
  store<u32>(offsetsAt + (row << 2), sampleCount);
  sampleCount = count;
  rowCount++;
}

function appendLabels(): void {
  const row = <usize>rowCount;
  const offsetsAt = reserve(labelOffsets, <u32>row << 2, (<u32>row + 2) << 2);
  store<u32>(offsetsAt + (row << 2), labelBytes);
  const at = reserve(labels, labelBytes, labelBytes + canonicalLength);
  memory.copy(at + labelBytes, addressOf(canonical), canonicalLength);
  labelBytes += canonicalLength;
}

/**
 * Removes samples of [sampleCount, count) whose timestamp came before in the series; the first stays.
 * Open addressing over sample numbers, so that a series with a million samples stays linear.
 */
function dropDuplicates(count: u32, start: usize, end: usize): u32 {
  const first = sampleCount;
  const samples = count - first;
  const bits = 32 - clz<u32>(samples * 2 - 1);
  const mask: u32 = (1 << bits) - 1;
  const table = reserve(seen, 0, 4 << bits);
  memory.fill(table, 0, (<usize>4) << bits);
  const timesAt = addressOf(times);
  const valuesAt = addressOf(values);
  let kept = first;
  let firstDuplicate: i64 = 0;
  for (let i = first; i < count; i++) {
    const time = load<i64>(timesAt + ((<usize>i) << 3));
    let position = <u32>((<u64>time * 0x9e3779b97f4a7c15) >> 32) & mask;
    let known = false;
    while (true) {
      const at = load<u32>(table + ((<usize>position) << 2));
      if (at == 0) break;
      if (load<i64>(timesAt + ((<usize>(at - 1)) << 3)) == time) {
        known = true;
        break;
      }
      position = (position + 1) & mask;
    }
    if (known) {
      if (kept == i) firstDuplicate = time;
      continue;
    }
    store<u32>(table + ((<usize>position) << 2), kept + 1);
    store<i64>(timesAt + ((<usize>kept) << 3), time);
    store<u64>(valuesAt + ((<usize>kept) << 3), load<u64>(valuesAt + ((<usize>i) << 3)));
    kept++;
  }
  if (kept != count) {
    store<u32>(control, load<u32>(control, 92) + (count - kept), 92);
    bump(108);
    blame(DUPLICATE_TIMESTAMPS, start, end, count - kept, firstDuplicate, 0);
  }
  return kept;
}

/** Counts the series under its code and, if it is one of the first, records it for the message. */
function blame(code: i32, start: usize, end: usize, samples: u32, time: i64, slot: usize): void {
  const counter = control + 128 + ((<usize>code) << 3);
  store<u32>(counter, load<u32>(counter) + 1);
  store<u32>(counter, load<u32>(counter, 4) + samples, 4);
  const records = load<u32>(control, 104);
  if (records >= RECORDS_MAX) return;
  store<u32>(control, records + 1, 104);
  const record = control + RECORDS_AT + (<usize>records) * RECORD_BYTES;
  store<u32>(record, code);
  store<u32>(record, load<u32>(control, 72) - 1, 4);
  store<u32>(record, <u32>(start - decodedAt), 8);
  store<u32>(record, <u32>(end - start), 12);
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
