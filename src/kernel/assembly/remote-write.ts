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
 *     wanted    u32 row numbers, rising (resend pass)          haLabels name of the cluster label | of the replica label
 *     and those of the rows (intake-rows.ts) and of new HA pairs (ha-pairs.ts)
 */
import {
  blamedSlot,
  canonical,
  canonicalise,
  canonicalLength,
  haClusterLength,
  labelSlots,
  MALFORMED,
  METRIC_NAME_MISSING,
  prepareCanonical,
  readVarint,
  setHaLabels,
  skipField,
  varint,
} from "./canonical";
import { addressOf, capacityOf, guardIntact, newBuffer, reserve } from "./guarded-buffer";
import {
  beginHaPairs,
  HA_PAIR_REFUSED,
  internHaPair,
  newHaPairs,
  newHaPairsIntact,
  prepareHaPairs,
} from "./ha-pairs";
import { hashHigh, hashLow, murmur3 } from "./hash";
import { blame, bump, clearReport, control, newControl } from "./intake-report";
import {
  appendHaPair,
  appendLabels,
  appendRow,
  beginRows,
  dropDuplicates,
  endRows,
  firstDuplicate,
  growSamples,
  haPairs,
  ids,
  labelOffsets,
  labels,
  newRowBuffers,
  offsets,
  rowCount,
  rowGuardsIntact,
  sampleCapacity,
  sampleCount,
  times,
  tokens,
  values,
} from "./intake-rows";
import { findSeries, insertSeries } from "./known-series";
import { readSample, sampleTime, sampleValue } from "./sample";
import { snappyDeclaredLength, snappyDecode } from "./snappy";

const BAD_SNAPPY: i32 = -1;
const TOO_LARGE: i32 = -2;
const TOO_MANY_SAMPLES: i32 = -4;

const TOO_FAR_IN_FUTURE: i32 = 10;
const TOO_FAR_IN_PAST: i32 = 11;
const DUPLICATE_TIMESTAMPS: i32 = 12;

let body: usize = 0;
let tenantName: usize = 0;
let decoded: usize = 0;
let gathered: usize = 0;
let wanted: usize = 0;
let haLabels: usize = 0;

let hashSeed: u64 = 0;
let decodedAt: usize = 0;
/** Rows passed, written or not: in the resend pass the numbers of the first pass. */
let rowNumber: u32 = 0;
let wantedIndex: u32 = 0;
let latestTime: i64 = 0;
/** Limits of the request, read once from the control block. */
let timeMax: i64 = 0;
let timeMin: i64 = 0;
let tenant: u32 = 0;
let resend: bool = false;
let haOn: bool = false;

/** Must be called once, before anything else. `seedLow/High`: chance, so that nobody can aim at one slot. */
export function intakeStart(seedLow: u32, seedHigh: u32): usize {
  hashSeed = ((<u64>seedHigh) << 32) | seedLow;
  newControl();
  body = newBuffer();
  tenantName = newBuffer();
  decoded = newBuffer();
  gathered = newBuffer();
  wanted = newBuffer();
  haLabels = newBuffer();
  newRowBuffers();
  prepareCanonical();
  prepareHaPairs(hashSeed);
  return control;
}

/** Where the host writes: 0 body, 1 name of the tenant, 2 wanted rows, 3 names of the HA labels. Room for `length` bytes. */
export function intakeInput(which: u32, length: u32): usize {
  if (which == 0) return reserve(body, 0, length);
  if (which == 1) return reserve(tenantName, 0, length + 16);
  if (which == 2) return reserve(wanted, 0, length);
  return reserve(haLabels, 0, length);
}

/**
 * Where the host reads: 0 decoded, 1 ids, 2 tokens, 3 offsets, 4 times, 5 values, 6 labels, 7 label offsets, 8 HA pairs,
 * 9 new HA pairs.
 */
export function intakeOutput(which: u32): usize {
  if (which == 0) return addressOf(decoded);
  if (which == 1) return addressOf(ids);
  if (which == 2) return addressOf(tokens);
  if (which == 3) return addressOf(offsets);
  if (which == 4) return addressOf(times);
  if (which == 5) return addressOf(values);
  if (which == 6) return addressOf(labels);
  if (which == 7) return addressOf(labelOffsets);
  if (which == 8) return addressOf(haPairs);
  return addressOf(newHaPairs);
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
    guardIntact(wanted) &&
    guardIntact(haLabels) &&
    newHaPairsIntact() &&
    rowGuardsIntact() &&
    guardIntact(canonical) &&
    guardIntact(labelSlots);
  return intact ? 1 : 0;
}

/** Decodes the body of `bodyLength` bytes that the host wrote. 0, or a negative code and nothing is to be kept. */
export function intake(bodyLength: u32): i32 {
  clearReport();
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
  endRows();
  store<u32>(control, rowCount, 64);
  store<u32>(control, sampleCount, 68);
  store<i64>(control, latestTime, 112);
  return 0;
}

function begin(decodedBytes: u32): void {
  rowNumber = 0;
  wantedIndex = 0;
  latestTime = i64.MIN_VALUE;
  timeMax = <i64>load<f64>(control, 16);
  timeMin = <i64>load<f64>(control, 24);
  tenant = load<u32>(control, 4);
  resend = load<u32>(control, 52) != 0;
  const clusterLabelLength: u32 = load<u16>(control, 60);
  const labelsAt = addressOf(haLabels);
  setHaLabels(labelsAt, clusterLabelLength, labelsAt + clusterLabelLength, load<u16>(control, 62));
  haOn = clusterLabelLength != 0;
  beginHaPairs();
  beginRows(decodedBytes);
}

function malformed(at: usize): i32 {
  store<u32>(control, <u32>(at - decodedAt), 120);
  return MALFORMED;
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
  // Every sender writes the labels first, and few are longer than 127 bytes: tag and length in one read (it may
  // run into the slack). Whatever looks different is left to the loop below.
  while (p < end) {
    const head: u32 = load<u16>(p);
    const next = p + 2 + (head >> 8);
    if ((head & 0x80ff) != 10 || next > end) break;
    p = next;
  }
  if (p != start) labelsEnd = p;
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
        if (!growSamples(count)) return TOO_MANY_SAMPLES;
        timesAt = addressOf(times);
        valuesAt = addressOf(values);
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
    const offset = <u32>(start - decodedAt);
    blame(METRIC_NAME_MISSING, offset, <u32>(end - start), count - first, 0, 0);
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
  const offset = <u32>(start - decodedAt);
  const length = <u32>(end - start);
  murmur3(labelsAt, labelsLength, hashSeed ^ (<u64>tenant * 0x9e3779b97f4a7c15));
  const entry = findSeries(hashLow, hashHigh, tenant);
  let idLow: u64 = 0;
  let idHigh: u64 = 0;
  let token: u32 = 0;
  let haPair: u32 = 0;
  if (entry != 0) {
    idLow = load<u64>(entry, 16);
    idHigh = load<u64>(entry, 24);
    token = load<u32>(entry, 32);
    haPair = load<u32>(entry, 44);
  } else {
    bump(96);
    const rawLow = hashLow;
    const rawHigh = hashHigh;
    const code = validate(labelsAt, labelsLength);
    if (code < 0) return malformed(start);
    if (code > 0) {
      blame(code, offset, length, samples, 0, code == METRIC_NAME_MISSING ? 0 : blamedSlot);
      return 0;
    }
    murmur3(addressOf(canonical), canonicalLength, 0);
    idLow = hashLow;
    idHigh = hashHigh;
    token = ringToken(idLow, idHigh);
    if (haClusterLength != 0) haPair = internHaPair(tenant);
    // The resend pass works by the limits of the first one, which may be others by now: it teaches the table nothing.
    if (!resend && haPair != HA_PAIR_REFUSED) {
      insertSeries(rawLow, rawHigh, tenant, idLow, idHigh, token, haPair);
    }
  }
  if (badSample != 0) {
    blame(badSample, offset, length, samples, badTime, 0);
    return 0;
  }
  if (samples == 0) return 0;
  if (!rising) {
    const kept = dropDuplicates(count);
    if (kept != count) {
      bump(92);
      blame(DUPLICATE_TIMESTAMPS, offset, length, count - kept, firstDuplicate, 0);
      count = kept;
    }
  }
  const number = rowNumber++;
  if (resend) {
    if (wantedIndex >= load<u32>(control, 48)) return 0;
    if (load<u32>(addressOf(wanted) + ((<usize>wantedIndex) << 2)) != number) return 0;
    wantedIndex++;
    if (entry != 0) {
      if (validate(labelsAt, labelsLength) != 0) return malformed(start);
      // For the same reason: an id must be that of the labels it goes with.
      murmur3(addressOf(canonical), canonicalLength, 0);
      idLow = hashLow;
      idHigh = hashHigh;
      token = ringToken(idLow, idHigh);
    }
  }
  // A series new to this table is likely new to the ingester: its labels go along, which spares a second pass.
  appendLabels(resend || entry == 0);
  if (haOn) appendHaPair(haPair);
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
