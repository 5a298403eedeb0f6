import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { must } from "../../../src/base/assert.ts";
import { CorruptionError } from "../../../src/base/errors.ts";
import type { WalOptions } from "../../../src/tsdb/wal/options.ts";
import {
  fromBytes,
  type SeenRecord,
  segmentPath,
  toBytes,
  WAL_DIRECTORY,
  WalMachine,
} from "../disk-fixtures.ts";

const TEXTS = ["first", "the second record", "third", "", "the fifth and last record"];

/** A log of one segment with TEXTS. */
async function written(options: Partial<WalOptions> = {}): Promise<WalMachine> {
  const machine = new WalMachine();
  const { wal } = await machine.start(options);
  for (const [index, text] of TEXTS.entries()) await wal.append(`t${index % 2}`, 1, toBytes(text));
  await wal.close();
  return machine;
}

function lastOf(records: readonly SeenRecord[]): SeenRecord {
  return must(records.at(-1), "there are records");
}

async function overwrite(machine: WalMachine, path: string, bytes: Uint8Array): Promise<void> {
  const file = await machine.files.open(path, "write");
  await file.truncate(0);
  await file.write(bytes, 0);
  await file.close();
}

/** Where each record begins, and at the end where the segment ends. */
async function offsets(machine: WalMachine): Promise<number[]> {
  const { records } = await machine.start();
  const { sizeBytes } = await machine.files.stat(segmentPath(1));
  return [...records.map(({ offsetBytes }) => offsetBytes), sizeBytes];
}

test("a torn last record is cut off, wherever it was torn", async () => {
  const whole = await (await written()).files.readFile(segmentPath(1));
  const [last, end] = (await offsets(await written())).slice(-2) as [number, number];
  for (let sizeBytes = last; sizeBytes < end; sizeBytes++) {
    const machine = await written();
    await overwrite(machine, segmentPath(1), whole.subarray(0, sizeBytes));
    const { texts, report, wal } = await machine.start();
    assert.deepEqual(texts, TEXTS.slice(0, -1), `cut at ${sizeBytes}`);
    assert.equal(report.tornBytes, sizeBytes - last);
    assert.equal((await machine.files.stat(segmentPath(1))).sizeBytes, last);
    assert.equal(machine.logger.lines.length, sizeBytes === last ? 0 : 1);
    await wal.append("t0", 1, toBytes("next"));
    await wal.close();
    assert.deepEqual((await machine.start()).texts, [...TEXTS.slice(0, -1), "next"]);
  }
});

test("a last record with a damaged byte is cut off too: nothing intact follows", async () => {
  const [last, end] = (await offsets(await written())).slice(-2) as [number, number];
  for (let at = last; at < end; at++) {
    const machine = await written();
    machine.files.corrupt(segmentPath(1), at, 0x40);
    const { texts, report } = await machine.start();
    assert.deepEqual(texts, TEXTS.slice(0, -1), `damaged at ${at}`);
    assert.equal(report.tornBytes, end - last);
  }
});

test("zeros after the last record are a torn write as well", async () => {
  const machine = await written();
  const whole = await machine.files.readFile(segmentPath(1));
  const longer = new Uint8Array(whole.length + 5000);
  longer.set(whole);
  await overwrite(machine, segmentPath(1), longer);
  const { texts, report } = await machine.start();
  assert.deepEqual(texts, TEXTS);
  assert.equal(report.tornBytes, 5000);
});

test("a last segment that was cut short in its header never was: its number is used again", async () => {
  for (const sizeBytes of [0, 1, 23]) {
    const machine = await written();
    const file = await machine.files.open(segmentPath(2), "write");
    await file.write(new Uint8Array(sizeBytes), 0);
    await file.close();
    const { texts, wal } = await machine.start();
    assert.deepEqual(texts, TEXTS);
    assert.deepEqual(await machine.files.list(WAL_DIRECTORY), ["00000001"]);
    assert.equal(wal.position().segment, 2);
  }
});

async function corruptionOf(machine: WalMachine): Promise<CorruptionError> {
  let found: unknown;
  await assert.rejects(machine.start(), (error: unknown) => {
    found = error;
    return error instanceof CorruptionError;
  });
  assert.equal(await machine.metric("cortex_ingester_tsdb_wal_corruptions_total"), 1);
  return found as CorruptionError;
}

test("damage in the middle is corruption, with file, offset and what to do", async () => {
  const [, second, third] = await offsets(await written());
  // The definition of the second tenant stands before the second record.
  for (let at = third as number; at > (second as number); at--) {
    const machine = await written();
    machine.files.corrupt(segmentPath(1), at, 1);
    const error = await corruptionOf(machine);
    assert.equal(error.data.file, segmentPath(1));
    const wanted = at === third ? third : second;
    assert.equal(error.data.offsetBytes, wanted);
    assert.match(error.message, /-ingester\.wal\.on-corruption=quarantine/);
    assert.match(error.message, /intact records follow/);
  }
});

test("each field of a header is checked", async () => {
  const check = async (at: number, offsetBytes: number, message: RegExp): Promise<void> => {
    const machine = await written();
    machine.files.corrupt(segmentPath(1), at, 2);
    const error = await corruptionOf(machine);
    assert.equal(error.data.offsetBytes, offsetBytes);
    assert.match(error.message, message);
  };
  await check(0, 0, /wrong magic/);
  await check(8, 8, /format version 3 is unknown/);
  await check(9, 8, /format version 513 is unknown/);
  await check(12, 20, /checksum/);
  await check(16, 20, /checksum/);
  await check(20, 20, /checksum/);
});

test("a segment under another's name is corruption", async () => {
  const machine = await written();
  await machine.files.rename(segmentPath(1), segmentPath(4));
  assert.match((await corruptionOf(machine)).message, /it is segment 1 by its header/);
});

/** A log of several segments, and its records. */
async function manySegments(): Promise<{ machine: WalMachine; records: SeenRecord[] }> {
  const machine = new WalMachine();
  const { wal } = await machine.start({ segmentBytes: 150 });
  for (let index = 0; index < 12; index++) {
    await wal.append(`t${index % 2}`, 1, toBytes(`record ${index}`));
  }
  await wal.close();
  const { records } = await machine.start();
  assert.ok((records.at(-1)?.segment ?? 0) >= 4);
  return { machine, records };
}

test("a missing segment is corruption", async () => {
  const { machine } = await manySegments();
  await machine.files.remove(segmentPath(2));
  const error = await corruptionOf(machine);
  assert.equal(error.data.file, segmentPath(2));
  assert.match(error.message, /the segment is missing/);
});

test("segments missing from the place that a checkpoint names are corruption", async () => {
  const { machine } = await manySegments();
  await machine.files.remove(segmentPath(1));
  const wal = await machine.open();
  const from = { segment: 1, offsetBytes: 24 };
  await assert.rejects(
    wal.replay(() => undefined, { from }),
    { code: "corruption" },
  );
  const beyond = await machine.open();
  await assert.rejects(
    beyond.replay(() => undefined, { from: { segment: 99, offsetBytes: 24 } }),
    { code: "corruption" },
  );
});

test("a middle segment that lost its end, between records or inside one, is corruption", async () => {
  const { machine, records } = await manySegments();
  const whole = await machine.files.readFile(segmentPath(2));
  const inSecond = records.filter(({ segment }) => segment === 2);
  const lastOffset = lastOf(inSecond).offsetBytes;
  const check = async (sizeBytes: number, message: RegExp): Promise<void> => {
    await overwrite(machine, segmentPath(2), whole.subarray(0, sizeBytes));
    await assert.rejects(machine.start(), (error: unknown) => {
      assert.ok(error instanceof CorruptionError);
      assert.match(error.message, message);
      assert.equal(error.data.file, segmentPath(2));
      return true;
    });
  };
  await check(lastOffset, /ends here instead of at/);
  await check(lastOffset + 3, /cut short/);
  await check(10, /the file ends after 10 bytes of its header/);
});

test("quarantine sets the rest of the segment aside, goes on with the next, and the loss stays known", async () => {
  const { machine, records } = await manySegments();
  const inSecond = records.filter(({ segment }) => segment === 2);
  const damaged = inSecond[1] as SeenRecord;
  const whole = await machine.files.readFile(segmentPath(2));
  machine.files.corrupt(segmentPath(2), damaged.offsetBytes + 16, 1);
  await assert.rejects(machine.start(), CorruptionError);

  const { texts, report, wal } = await machine.start({ onCorruption: "quarantine" });
  const kept = records.filter(
    ({ segment, offsetBytes }) => segment !== 2 || offsetBytes < damaged.offsetBytes,
  );
  assert.deepEqual(
    texts,
    kept.map(({ text }) => text),
  );
  assert.equal(report.corruptions, 1);
  assert.equal(report.quarantinedBytes, whole.length - damaged.offsetBytes);
  const aside = await machine.files.readFile(`${segmentPath(2)}.corrupt`);
  assert.equal(aside.length, report.quarantinedBytes);
  assert.match(fromBytes(aside), new RegExp(lastOf(inSecond).text));
  const line = machine.logger.lines.find(({ level }) => level === "error");
  assert.equal(line?.fields.bytes, report.quarantinedBytes);
  await wal.append("t0", 1, toBytes("after"));
  await wal.close();

  const again = await machine.start();
  assert.deepEqual(again.texts, [...kept.map(({ text }) => text), "after"]);
  assert.equal(again.report.corruptions, 0);
});

test("quarantine of a missing segment, of a whole one, and of the last one", async () => {
  const { machine, records } = await manySegments();
  const last = lastOf(records).segment;
  await machine.files.remove(segmentPath(2));
  machine.files.corrupt(segmentPath(3), 1, 1);
  machine.files.corrupt(segmentPath(last), 9, 1);
  const { texts, report, wal } = await machine.start({ onCorruption: "quarantine" });
  const kept = records.filter(({ segment }) => ![2, 3, last].includes(segment));
  assert.deepEqual(
    texts,
    kept.map(({ text }) => text),
  );
  assert.equal(report.corruptions, 3);
  await wal.append("t", 1, toBytes("after"));
  await wal.close();
  const again = await machine.start();
  assert.deepEqual(again.texts, [...kept.map(({ text }) => text), "after"]);
  assert.equal(again.records.at(-1)?.segment, last + 1);
});

test("damage at a random place is reported, or is a torn end: never passed over", async () => {
  const { machine, records } = await manySegments();
  const names = await machine.files.list(WAL_DIRECTORY);
  const contents = await Promise.all(
    names.map(async (name) => await machine.files.readFile(`${WAL_DIRECTORY}/${name}`)),
  );
  const lastSegment = names.length;
  const lastOffset = lastOf(records).offsetBytes;
  const place = fc
    .nat(names.length - 1)
    .chain((index) =>
      fc.tuple(fc.constant(index), fc.nat((contents[index] as Uint8Array).length - 1)),
    );
  const check = async ([index, offset]: [number, number], flip: number): Promise<void> => {
    const damaged = new WalMachine();
    await damaged.files.makeDirectory(WAL_DIRECTORY);
    for (const [at, name] of names.entries()) {
      await damaged.files.writeFileAtomic(`${WAL_DIRECTORY}/${name}`, contents[at] as Uint8Array);
    }
    damaged.files.corrupt(segmentPath(index + 1), offset, flip);
    const isTorn = index + 1 === lastSegment && offset >= lastOffset;
    if (!isTorn) return await assert.rejects(damaged.start(), CorruptionError);
    const { texts, report } = await damaged.start();
    assert.deepEqual(
      texts,
      records.slice(0, -1).map(({ text }) => text),
    );
    assert.equal(report.tornBytes, (contents[index] as Uint8Array).length - lastOffset);
  };
  await fc.assert(fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), check), {
    numRuns: 600,
  });
});

test("random bytes as a segment are corruption or a torn end, never a crash", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (noise) => {
      const machine = await written();
      const whole = await machine.files.readFile(segmentPath(1));
      const joined = new Uint8Array(whole.length + noise.length);
      joined.set(whole);
      joined.set(noise, whole.length);
      await overwrite(machine, segmentPath(1), joined);
      const { texts, report } = await machine.start();
      assert.deepEqual(texts, TEXTS);
      assert.equal(report.tornBytes, noise.length);
    }),
    { numRuns: 200 },
  );
});

test("an error of the visitor ends the replay as it is", async () => {
  const machine = await written();
  const wal = await machine.open();
  const mine = new Error("mine");
  await assert.rejects(
    wal.replay(() => {
      throw mine;
    }),
    mine,
  );
});
