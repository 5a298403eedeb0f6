import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Registry } from "prom-client";
import { CorruptionError } from "../../../src/base/errors.ts";
import { SeededRandom } from "../../../src/base/random.ts";
import {
  encodeFrame,
  FRAME_HEADER_BYTES,
  type HeadChunk,
} from "../../../src/tsdb/head-chunks/format.ts";
import { HeadChunkFiles } from "../../../src/tsdb/head-chunks/head-chunk-files.ts";
import { headChunkMetrics } from "../../../src/tsdb/head-chunks/metrics.ts";
import {
  DEFAULT_HEAD_CHUNK_OPTIONS,
  type HeadChunkOptions,
} from "../../../src/tsdb/head-chunks/options.ts";
import { MemoryFileSystem } from "../../testkit/memory-file-system.ts";
import { settle, TestClock } from "../../testkit/test-clock.ts";
import { fromBytes, fromHexdump, LinesLogger, toBytes } from "../disk-fixtures.ts";

const DIRECTORY = "/data/t/chunks_head";

class Machine {
  readonly clock = new TestClock();
  readonly logger = new LinesLogger();
  readonly registry = new Registry();
  readonly metrics = headChunkMetrics(this.registry);
  readonly files: MemoryFileSystem;

  constructor(files = new MemoryFileSystem()) {
    this.files = files;
  }

  async writtenBytes(): Promise<number> {
    const metric = this.registry.getSingleMetric("muninn_head_chunks_written_bytes_total");
    return (await metric?.get())?.values[0]?.value ?? 0;
  }

  async open(options: Partial<HeadChunkOptions> = {}): Promise<HeadChunkFiles> {
    return await HeadChunkFiles.open(
      DIRECTORY,
      { ...DEFAULT_HEAD_CHUNK_OPTIONS, writeBufferBytes: 0, ...options },
      this,
    );
  }
}

function frame(text: string, over: Partial<HeadChunk> = {}): Uint8Array {
  const times = { minTimeMs: 1000, maxTimeMs: 2000 };
  return encodeFrame({
    seriesRef: 1,
    ...times,
    encoding: 1,
    flags: 0,
    data: toBytes(text),
    ...over,
  });
}

interface Place {
  readonly file: number;
  readonly offset: number;
  readonly text: string;
}

/** Appends frames in one call and tells where their data lie. */
function append(chunks: HeadChunkFiles, ...texts: string[]): Place[] {
  const frames = texts.map((text) => frame(text));
  const file = chunks.currentFile;
  let offset = chunks.currentOffsetBytes;
  const places = texts.map((text, index) => {
    const place = { file, offset: offset + FRAME_HEADER_BYTES, text };
    offset += (frames[index] as Uint8Array).length;
    return place;
  });
  chunks.append(Buffer.concat(frames));
  return places;
}

async function read(chunks: HeadChunkFiles, places: readonly Place[]): Promise<string[]> {
  const lengths = Uint32Array.from(places, ({ text }) => text.length);
  const { data, starts } = await chunks.readRanges({
    files: Uint32Array.from(places, ({ file }) => file),
    offsets: Uint32Array.from(places, ({ offset }) => offset),
    lengths,
  });
  return places.map((_, index) => {
    const start = starts[index] as number;
    return fromBytes(data.subarray(start, start + (lengths[index] as number)));
  });
}

async function mustRead(chunks: HeadChunkFiles, places: readonly Place[]): Promise<void> {
  const found = await read(chunks, places);
  assert.deepEqual(
    found,
    places.map(({ text }) => text),
  );
}

async function verified(chunks: HeadChunkFiles, file: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const { data } of chunks.verify(file)) texts.push(fromBytes(data));
  return texts;
}

test("golden bytes of a file", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  chunks.append(
    Buffer.concat([
      frame("abc", { seriesRef: 7, minTimeMs: -2, maxTimeMs: 1_700_000_000_000 }),
      frame("", { seriesRef: 0xffffffff, flags: 1 }),
    ]),
  );
  await chunks.close();
  const wanted = fromHexdump(`
    4d554e494e48434b         # magic "MUNINHCK"
    0100 0000 01000000       # version 1, zero, file 1

    07000000                 # series ref 7
    feffffffffffffff         # from -2 ms
    0068e5cf8b010000         # to 1,700,000,000,000 ms
    01 00 0300 616263        # XOR, in order, 3 bytes of data
    6d0494a2                 # CRC-32C

    ffffffff
    e803000000000000 d007000000000000
    01 01 0000               # out of order, no data
    1b22b76f
  `);
  const found = await machine.files.readFile(`${DIRECTORY}/000001`);
  assert.equal(Buffer.from(found).toString("hex"), Buffer.from(wanted).toString("hex"));
});

test("what was appended is read at once from memory, later from disk, and after a restart", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  const places = [...append(chunks, "one", "two"), ...append(chunks, "three")];
  assert.equal(chunks.pendingBytes, 3 * 28 + 11);
  await mustRead(chunks, places);
  await chunks.flush();
  assert.equal(chunks.pendingBytes, 0);
  const more = append(chunks, "four");
  // Some on disk and one in memory, in the order asked, one of them twice.
  await mustRead(chunks, [...more, ...places.toReversed(), ...more, places[1] as Place]);
  await chunks.close();

  const again = await machine.open();
  assert.equal(again.currentFile, 2);
  await mustRead(again, [...places, ...more]);
  assert.deepEqual(await verified(again, 1), ["one", "two", "three", "four"]);
  await mustRead(again, append(again, "in a new file"));
  await again.close();
  assert.deepEqual(await machine.files.list(DIRECTORY), ["000001", "000002"]);
});

test("room for the caller's own bytes comes behind the ranges", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  const [one] = append(chunks, "one") as [Place];
  await chunks.flush();
  const [two] = append(chunks, "two") as [Place];
  const ranges = {
    files: Uint32Array.of(one.file, two.file),
    offsets: Uint32Array.of(one.offset, two.offset),
    lengths: Uint32Array.of(3, 3),
  };
  const { data, starts } = await chunks.readRanges(ranges, 5);
  assert.equal(data.length, 11);
  assert.deepEqual([...data.subarray(6)], [0, 0, 0, 0, 0]);
  assert.ok(starts.every((start) => start + 3 <= 6));
  await chunks.close();
});

test("files are made at their first frame only", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  await chunks.sync();
  await chunks.close();
  assert.deepEqual(await machine.files.list(DIRECTORY), []);
});

test("a full file is followed by a new one, between appends only", async () => {
  const machine = new Machine();
  const chunks = await machine.open({ fileSizeBytes: 100 });
  const places = [...append(chunks, "a", "b", "c", "d", "e"), ...append(chunks, "f")];
  assert.deepEqual(
    places.map(({ file }) => file),
    [1, 1, 1, 1, 1, 2],
  );
  places.push(...append(chunks, "g".repeat(200)), ...append(chunks, "h"));
  await mustRead(chunks, places);
  await chunks.flush();
  await mustRead(chunks, places);
  assert.deepEqual(
    chunks.files().map(({ file, maxTimeMs }) => [file, maxTimeMs]),
    [
      [1, 2000],
      [2, 2000],
      [3, 2000],
    ],
  );
  await chunks.close();
});

test("the maximum time of a file is that of its chunks", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  chunks.append(frame("a", { maxTimeMs: 5_000_000_000_000 }));
  chunks.append(Buffer.concat([frame("b", { maxTimeMs: 7 }), frame("c", { maxTimeMs: -9 })]));
  assert.equal(chunks.files()[0]?.maxTimeMs, 5_000_000_000_000);
  await chunks.close();
  assert.equal((await machine.open()).files()[0]?.maxTimeMs, undefined);
});

test("a deleted file is gone for new reads; reads under way go on", async () => {
  const machine = new Machine();
  const chunks = await machine.open({ fileSizeBytes: 50 });
  const places = append(chunks, "a".repeat(60));
  append(chunks, "b".repeat(60));
  append(chunks, "c");
  await chunks.flush();
  const reading = read(chunks, places);
  await chunks.deleteFile(1);
  assert.deepEqual(await reading, ["a".repeat(60)]);
  assert.deepEqual(
    chunks.files().map(({ file }) => file),
    [2, 3],
  );
  assert.deepEqual(await machine.files.list(DIRECTORY), ["000002", "000003"]);
  await assert.rejects(chunks.deleteFile(3), /BUG/);
  await chunks.close();
});

test("a full disk: chunks stay in memory and readable, and are written when there is room", async () => {
  for (let room = 0; room < 120; room += 3) {
    const machine = new Machine();
    const chunks = await machine.open({ fileSizeBytes: 100, pendingBytesMax: 400 });
    machine.files.capacityBytes = room;
    const places = ["one", "two", "three", "four", "five", "six"].flatMap((text) =>
      append(chunks, text),
    );
    await settle();
    assert.equal(chunks.blocked?.code, "head-chunks-blocked");
    assert.match(chunks.blocked?.message ?? "", /ENOSPC/);
    await mustRead(chunks, places);
    await assert.rejects(chunks.flush(), { code: "head-chunks-blocked" });
    places.push(...append(chunks, "seven"));
    assert.equal(chunks.admit(1000)?.code, "head-chunks-overloaded");
    // What the head has let go of is taken all the same.
    places.push(...append(chunks, "x".repeat(1000)));
    await machine.clock.advance(2500);
    await mustRead(chunks, places);
    machine.files.capacityBytes = 10_000;
    await machine.clock.advance(1000);
    assert.equal(chunks.blocked, undefined);
    assert.equal(chunks.pendingBytes, 0);
    await mustRead(chunks, places);
    for (const { file } of chunks.files()) await verified(chunks, file);
    await chunks.close();
    assert.equal(machine.clock.timersWaiting, 0);
  }
});

test("sync: what was appended before it survives a power cut", async () => {
  for (let seed = 0; seed < 30; seed++) {
    const machine = new Machine();
    const chunks = await machine.open({ fileSizeBytes: 60 });
    const places = ["one", "two", "three", "four"].flatMap((text) => append(chunks, text));
    await chunks.sync();
    append(chunks, "five");
    await chunks.flush();
    const after = await new Machine(machine.files.crash(new SeededRandom(seed))).open();
    await mustRead(after, places);
    await chunks.close();
  }
});

test("a sync that failed once fails for ever: the bytes may be lost", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  append(chunks, "one");
  const heal = machine.files.failWrites(({ kind }) =>
    kind === "sync" ? { code: "EIO" } : undefined,
  );
  await assert.rejects(chunks.sync(), { code: "head-chunks-sync-failed" });
  heal();
  await assert.rejects(chunks.sync(), { code: "head-chunks-sync-failed" });
  append(chunks, "two");
  await chunks.close();
});

test("verify finds damage at any byte, and gives the chunks before it", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  const places = append(chunks, "one", "two", "three");
  await chunks.close();
  const path = `${DIRECTORY}/000001`;
  const { sizeBytes } = await machine.files.stat(path);
  for (let at = 0; at < sizeBytes; at++) {
    machine.files.corrupt(path, at, 0x11);
    const texts: string[] = [];
    await assert.rejects(
      async () => {
        for await (const { data } of (await machine.open()).verify(1)) texts.push(fromBytes(data));
      },
      (error: unknown) => {
        assert.ok(error instanceof CorruptionError, `damage at ${at}`);
        const { offsetBytes } = error.data as { offsetBytes: number };
        assert.ok(offsetBytes <= at);
        return true;
      },
    );
    const whole = places.filter(({ offset, text }) => offset + text.length + 4 <= at);
    assert.deepEqual(
      texts,
      whole.map(({ text }) => text),
    );
    machine.files.corrupt(path, at, 0x11);
  }
});

test("verify finds a file that was cut, at any byte", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  const places = append(chunks, "one", "two");
  await chunks.close();
  const path = `${DIRECTORY}/000001`;
  const whole = await machine.files.readFile(path);
  const ends = [16, ...places.map(({ offset, text }) => offset + text.length + 4)];
  for (let sizeBytes = 0; sizeBytes < whole.length; sizeBytes++) {
    await machine.files.writeFileAtomic(path, whole.subarray(0, sizeBytes));
    const again = await machine.open();
    const isWhole = ends.indexOf(sizeBytes);
    if (isWhole === -1) await assert.rejects(verified(again, 1), CorruptionError, `${sizeBytes}`);
    else assert.equal((await verified(again, 1)).length, isWhole);
  }
});

test("an unknown version and another file's header are named", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  append(chunks, "one");
  await chunks.close();
  machine.files.corrupt(`${DIRECTORY}/000001`, 8, 8);
  await assert.rejects(verified(await machine.open(), 1), /format version 9 is unknown/);
  machine.files.corrupt(`${DIRECTORY}/000001`, 8, 8);
  await machine.files.rename(`${DIRECTORY}/000001`, `${DIRECTORY}/000005`);
  await assert.rejects(verified(await machine.open(), 5), /it is file 1 by its header/);
});

test("bytes that are not whole frames are a bug", async () => {
  const chunks = await new Machine().open();
  assert.throws(
    () => chunks.append(frame("abc").subarray(0, 20)),
    /BUG: appended bytes are whole frames/,
  );
  assert.throws(() => chunks.append(Buffer.concat([frame("abc"), new Uint8Array(3)])), /BUG/);
});

test("a file that is shorter than its chunks is corruption, not wrong bytes", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  const places = append(chunks, "one", "two");
  await chunks.flush();
  const file = await machine.files.open(`${DIRECTORY}/000001`, "write");
  await file.truncate(60);
  await assert.rejects(read(chunks, places), CorruptionError);
  await chunks.close();
});

test("random appends and reads, near and far apart, agree with a plain list", async () => {
  const run = async (seed: number): Promise<void> => {
    const random = new SeededRandom(seed);
    const machine = new Machine();
    const chunks = await machine.open({ fileSizeBytes: 400_000 });
    const places: Place[] = [];
    for (let index = 0; index < 60; index++) {
      const length = random.float() < 0.5 ? random.uint32() % 40 : random.uint32() % 60_000;
      places.push(...append(chunks, `${index}:`.padEnd(length, `${index} `)));
      if (random.float() < 0.2) await chunks.flush();
    }
    for (const share of [0.05, 0.5, 1]) {
      await mustRead(
        chunks,
        places.filter(() => random.float() < share).toSorted(() => random.float() - 0.5),
      );
    }
    await mustRead(chunks, []);
    const { reads, bytes } = await readCounts(machine);
    assert.ok(reads > 0 && bytes > 0);
    await chunks.close();
  };
  await fc.assert(fc.asyncProperty(fc.nat(), run), { numRuns: 40 });
});

async function readCounts(machine: Machine): Promise<{ reads: number; bytes: number }> {
  const value = async (name: string): Promise<number> =>
    (await machine.registry.getSingleMetric(name)?.get())?.values[0]?.value ?? 0;
  return {
    reads: await value("muninn_head_chunks_reads_total"),
    bytes: await value("muninn_head_chunks_read_bytes_total"),
  };
}

test("chunks that lie close together come in one read, distant ones in several, without their gaps in the answer", async () => {
  const machine = new Machine();
  const chunks = await machine.open();
  const near = ["a", "b", "c"].flatMap((text) => append(chunks, text));
  append(chunks, "x".repeat(60_000));
  append(chunks, "x".repeat(60_000));
  const far = append(chunks, "far");
  append(chunks, "x".repeat(30_000));
  const sparse = append(chunks, "sparse");
  await chunks.flush();
  await mustRead(chunks, near);
  assert.deepEqual(await readCounts(machine), { reads: 1, bytes: 2 * 29 + 1 });
  await mustRead(chunks, [...far, ...near]);
  assert.equal((await readCounts(machine)).reads, 3);
  // 30 kB of gap are read, not answered.
  const ranges = [...far, ...sparse];
  const { data } = await chunks.readRanges({
    files: Uint32Array.from(ranges, ({ file }) => file),
    offsets: Uint32Array.from(ranges, ({ offset }) => offset),
    lengths: Uint32Array.from(ranges, ({ text }) => text.length),
  });
  assert.equal(data.length, 9);
  assert.equal((await readCounts(machine)).reads, 4);
  await chunks.close();
});

test("frames are gathered until they fill the buffer", async () => {
  const machine = new Machine();
  const chunks = await machine.open({ writeBufferBytes: 300 });
  const first = append(chunks, "a".repeat(100));
  await settle();
  assert.equal(await machine.writtenBytes(), 0);
  const second = append(chunks, "b".repeat(200));
  await mustRead(chunks, [...first, ...second]);
  await settle();
  assert.equal(chunks.pendingBytes, 0, "both in one write");
  assert.equal(await machine.writtenBytes(), 2 * (FRAME_HEADER_BYTES + 4) + 300);
  await chunks.close();
});

test("a buffer that does not fill is written after the delay, and a file that waits is not deleted", async () => {
  const machine = new Machine();
  const chunks = await machine.open({
    writeBufferBytes: 1 << 20,
    writeDelayMs: 1000,
    fileSizeBytes: 100,
  });
  const [place] = append(chunks, "a".repeat(100));
  assert.notEqual(chunks.currentFile, place?.file);
  await machine.clock.advance(999);
  assert.equal(await machine.writtenBytes(), 0);
  assert.equal(chunks.canDelete(1), false);
  await machine.clock.advance(1);
  assert.equal(chunks.pendingBytes, 0);
  assert.equal(chunks.canDelete(1), true);
  append(chunks, "b");
  await chunks.close();
  assert.equal(machine.clock.timersWaiting, 0);
  assert.equal(
    await machine.writtenBytes(),
    101 + 2 * (FRAME_HEADER_BYTES + 4),
    "closing writes what waits",
  );
});
