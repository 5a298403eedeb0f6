import assert from "node:assert/strict";
import { test } from "node:test";
import { OpError } from "../../../src/base/errors.ts";
import { settle } from "../../testkit/test-clock.ts";
import { fromHexdump, segmentPath, toBytes, WAL_DIRECTORY, WalMachine } from "../disk-fixtures.ts";

test("golden bytes of a segment", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start();
  await Promise.all([
    wal.append("team-a", 7, toBytes("hello")),
    wal.append("b", 1, [toBytes("wo"), toBytes("rld")]),
    wal.append("team-a", 255, new Uint8Array(0)),
  ]);
  await wal.close();
  const wanted = fromHexdump(`
    4d554e494e57414c             # magic "MUNINWAL"
    0100 0000                    # version 1, zero
    01000000 00000000            # segment 1, nothing known of the one before
    fd3ff2a2                     # CRC-32C of the 20 bytes before

    99a3c61a 0a000000 00000000   # CRC-32C, 10 bytes of payload, the log's own record
    01 57414c                    # type 1: tenant definition; mark "WAL"
    01000000 7465616d2d61        # tenant 1 is "team-a"

    8edbab7d 05000000 01000000   # CRC-32C, 5 bytes, tenant 1
    07 57414c 68656c6c6f         # type 7, "hello"

    0d0afb51 05000000 00000000
    01 57414c 02000000 62        # tenant 2 is "b"

    71b158b4 05000000 02000000
    01 57414c 776f726c64         # "world"

    1d35e569 00000000 01000000   # no payload
    ff 57414c
  `);
  const found = await machine.files.readFile(segmentPath(1));
  assert.equal(Buffer.from(found).toString("hex"), Buffer.from(wanted).toString("hex"));
});

test("records come back in the order of the appends, with tenant, type and position", async () => {
  const machine = new WalMachine();
  const first = await machine.start();
  const positions: unknown[] = [];
  for (let index = 0; index < 10; index++) {
    await first.wal.append(`t${index % 3}`, index, toBytes(`record ${index}`));
    positions.push(first.wal.position());
  }
  await first.wal.close();
  const { records, report } = await machine.start();
  assert.deepEqual(
    records.map(({ tenant, type, text }) => [tenant, type, text]),
    Array.from({ length: 10 }, (_, index) => [`t${index % 3}`, index, `record ${index}`]),
  );
  assert.equal(report.records, 10);
  assert.equal(report.tornBytes, 0);
  // After three appends all tenants are defined: then a record begins where the one before it ended.
  for (let index = 3; index < 10; index++) {
    const { segment, offsetBytes } = records[index] as (typeof records)[number];
    assert.deepEqual({ segment, offsetBytes }, positions[index - 1]);
  }
});

test("appends of one task go out in one write and share a promise; those during a write go in the next", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start();
  const writes: number[] = [];
  machine.files.failWrites(({ kind, length }) => {
    if (kind === "write") writes.push(length);
    return undefined;
  });
  const one = wal.append("t", 1, toBytes("a"));
  const two = wal.append("t", 1, toBytes("b"));
  assert.equal(one, two);
  await Promise.resolve();
  await Promise.resolve();
  // The first write is under way now.
  const three = wal.append("t", 1, toBytes("c"));
  const four = wal.append("t", 1, toBytes("d"));
  assert.equal(three, four);
  assert.notEqual(one, three);
  await Promise.all([one, two, three, four]);
  assert.deepEqual(writes, [24, 16 + 5 + 17 + 17, 17 + 17]);
  assert.match(await machine.registry.metrics(), /muninn_wal_group_records_sum 4\n/);
  assert.match(await machine.registry.metrics(), /muninn_wal_group_records_count 2\n/);
  assert.equal(await machine.metric("muninn_wal_written_bytes_total"), 24 + 55 + 34);
  await wal.close();
});

test("the payload is copied before append returns", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start();
  const payload = toBytes("before");
  const written = wal.append("t", 1, payload);
  payload.set(toBytes("after!"));
  await written;
  await wal.close();
  assert.deepEqual((await machine.start()).texts, ["before"]);
});

test("a full segment is followed by a new one, and each can be read alone", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start({ segmentBytes: 200 });
  const texts = Array.from({ length: 50 }, (_, index) => `record number ${index}`);
  for (const text of texts) await wal.append(`tenant-${text.length}`, 1, toBytes(text));
  await wal.close();
  const names = await machine.files.list(WAL_DIRECTORY);
  assert.ok(names.length > 5, names.join());
  for (const { sizeBytes } of await wal.segments()) assert.ok(sizeBytes <= 200);
  assert.deepEqual((await machine.start()).texts, texts);
  // Without the first ones the rest is still whole.
  for (const name of names.slice(0, 4)) await machine.files.remove(`${WAL_DIRECTORY}/${name}`);
  const rest = (await machine.start()).texts;
  assert.ok(rest.length > 10 && rest.length < 50);
  assert.deepEqual(rest, texts.slice(-rest.length));
});

test("a burst over several segments goes out in order", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start({ segmentBytes: 100, sync: "commit" });
  const texts = Array.from({ length: 40 }, (_, index) => `burst ${index}`);
  await Promise.all(texts.map((text) => wal.append("t", 1, toBytes(text))));
  await wal.close();
  assert.deepEqual((await machine.start()).texts, texts);
});

test("a record larger than a segment and than a block has a segment of its own", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start({ segmentBytes: 1000, replayBlockBytes: 512 });
  const large = "x".repeat(3_000_000);
  const texts = ["small", large, "after"];
  for (const text of texts) await wal.append("t", 1, toBytes(text));
  await wal.close();
  const { texts: found } = await machine.start({ replayBlockBytes: 512 });
  assert.deepEqual(
    found.map((text) => text.length),
    texts.map((text) => text.length),
  );
  assert.equal(found[1], large);
});

test("segments are cut by hand and deleted from the front", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start();
  await wal.append("t", 1, toBytes("old"));
  assert.equal(await wal.cutSegment(), 2);
  // Nothing was appended since: the segment is still new.
  assert.equal(await wal.cutSegment(), 2);
  assert.deepEqual(
    (await wal.segments()).map(({ segment }) => segment),
    [1, 2],
  );
  await wal.append("t", 1, toBytes("new"));
  await wal.deleteSegmentsBefore(2);
  assert.deepEqual(await machine.files.list(WAL_DIRECTORY), ["00000002"]);
  // The segment that is being written stays, whatever is asked.
  await wal.deleteSegmentsBefore(99);
  assert.deepEqual(await machine.files.list(WAL_DIRECTORY), ["00000002"]);
  await wal.close();
  const next = await machine.start();
  assert.deepEqual(next.texts, ["new"]);
  assert.equal(await machine.metric("cortex_ingester_tsdb_wal_truncations_total"), 2);
  assert.equal(next.wal.position().segment, 3);
  await next.wal.close();
});

test("a replay from a position leaves out what is before it", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start();
  await wal.append("t", 1, toBytes("a"));
  await wal.append("u", 1, toBytes("b"));
  const from = wal.position();
  await wal.append("t", 1, toBytes("c"));
  await wal.cutSegment();
  await wal.append("u", 1, toBytes("d"));
  await wal.close();
  const texts: string[] = [];
  const again = await machine.open();
  await again.replay((_tenant, _type, payload) => texts.push(new TextDecoder().decode(payload)), {
    from,
  });
  assert.deepEqual(texts, ["c", "d"]);
});

test("progress tells bytes and segments, and other work gets its turn between blocks", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start({ segmentBytes: 4096 });
  for (let index = 0; index < 20; index++) await wal.append("t", 1, new Uint8Array(1000));
  await wal.close();
  const seen: string[] = [];
  let turns = 0;
  let replaying = true;
  const others = (async () => {
    while (replaying) {
      turns++;
      await Promise.resolve();
    }
  })();
  const again = await machine.open({ replayBlockBytes: 1024 });
  const report = await again.replay(() => undefined, {
    onProgress: ({ segment, segments, bytesDone, bytesTotal }) => {
      assert.ok(bytesDone <= bytesTotal);
      seen.push(`${segment}/${segments}`);
    },
  });
  replaying = false;
  await others;
  assert.equal(seen[0], `1/${report.segments}`);
  assert.equal(seen.at(-1), `${report.segments}/${report.segments}`);
  assert.ok(turns > 20);
});

test("an empty log replays to nothing and makes no file before the first append", async () => {
  const machine = new WalMachine();
  const { wal, report } = await machine.start();
  assert.deepEqual(
    { records: report.records, segments: report.segments },
    { records: 0, segments: 0 },
  );
  await wal.close();
  assert.deepEqual(await machine.files.list(WAL_DIRECTORY), []);
});

test("a closed log refuses appends", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start();
  const last = wal.append("t", 1, toBytes("last"));
  const closing = wal.close();
  await assert.rejects(wal.append("t", 1, toBytes("late")), { code: "wal-closed" });
  await last;
  await closing;
  await wal.close();
  assert.equal(machine.clock.timersWaiting, 0);
  assert.deepEqual((await machine.start()).texts, ["last"]);
});

test("more pending bytes than allowed are refused, and admit says so beforehand", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start({ pendingBytesMax: 10_000 });
  assert.equal(wal.admit(5000), undefined);
  const first = wal.append("t", 1, new Uint8Array(5000));
  assert.equal(wal.admit(5000)?.code, "wal-overloaded");
  await assert.rejects(wal.append("t", 1, new Uint8Array(5000)), (error: unknown) => {
    assert.ok(error instanceof OpError);
    assert.equal(error.code, "wal-overloaded");
    assert.match(error.message, /at most 10000/);
    return true;
  });
  await first;
  // Over a quarter of the limit is not synced: that is done ahead of time, so there is room again.
  await settle();
  assert.equal(wal.admit(5000), undefined);
  await wal.close();
});
