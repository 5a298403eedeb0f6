import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { must } from "../../../src/base/assert.ts";
import { OpError } from "../../../src/base/errors.ts";
import { SeededRandom } from "../../../src/base/random.ts";
import type { Wal } from "../../../src/tsdb/wal/wal.ts";
import type {
  DiskFailure,
  DiskOperation,
  MemoryFileSystem,
} from "../../testkit/memory-file-system.ts";
import { settle } from "../../testkit/test-clock.ts";
import { segmentPath, toBytes, WAL_DIRECTORY, WalMachine } from "../disk-fixtures.ts";

const isBlocked = (error: unknown): boolean =>
  error instanceof OpError && error.code === "wal-blocked";

/** Appends and tells how it ended, without waiting. */
function attempt(wal: Wal, text: string): { outcome: "waits" | "written" | "refused" } {
  const state: { outcome: "waits" | "written" | "refused" } = { outcome: "waits" };
  wal.append("t", 1, toBytes(text)).then(
    () => {
      state.outcome = "written";
    },
    () => {
      state.outcome = "refused";
    },
  );
  return state;
}

function refuse(machine: WalMachine, kind: DiskOperation["kind"], how: DiskFailure): () => void {
  return machine.files.failWrites((operation) => (operation.kind === kind ? how : undefined));
}

function randomPause(random: SeededRandom): () => Promise<void> {
  return async () => {
    for (let turns = random.uint32() % 6; turns > 0; turns--) await setImmediate();
  };
}

test("a full disk: waiting appends are rejected, new ones refused at once, and nothing is forgotten", async () => {
  for (let partialBytes = 0; partialBytes < 60; partialBytes++) {
    const machine = new WalMachine();
    const { wal } = await machine.start();
    await wal.append("t", 1, toBytes("before"));
    const heal = refuse(machine, "write", { code: "ENOSPC", partialBytes });
    const waiting = [
      wal.append("t", 1, toBytes("kept one")),
      wal.append("u", 2, toBytes("kept two")),
    ];
    for (const append of waiting) {
      await assert.rejects(append, (error: unknown) => {
        assert.ok(error instanceof OpError);
        assert.equal(error.code, "wal-blocked");
        assert.match(error.message, /\/data\/wal.*ENOSPC.*free some space/);
        assert.equal(error.data.errno, "ENOSPC");
        return true;
      });
    }
    assert.ok(isBlocked(wal.blocked) && isBlocked(wal.admit(1)));
    await assert.rejects(wal.append("t", 1, toBytes("refused")), isBlocked);
    await assert.rejects(wal.cutSegment(), isBlocked);
    assert.equal(await machine.metric("muninn_wal_blocked"), 1);
    await machine.clock.advance(3000);
    assert.ok(isBlocked(wal.blocked));
    assert.equal(await machine.metric("cortex_ingester_tsdb_wal_writes_failed_total"), 4);
    heal();
    await machine.clock.advance(1000);
    assert.equal(wal.blocked, undefined);
    assert.equal(await machine.metric("muninn_wal_blocked"), 0);
    await wal.append("t", 1, toBytes("after"));
    await wal.close();
    const { texts, report } = await machine.start();
    assert.deepEqual(texts, ["before", "kept one", "kept two", "after"]);
    assert.equal(report.tornBytes, 0);
  }
});

test("the process dies while the disk is full: what was acknowledged is there", async () => {
  for (let room = 0; room < 100; room += 7) {
    const machine = new WalMachine();
    const { wal } = await machine.start();
    await wal.append("t", 1, toBytes("acknowledged"));
    machine.files.capacityBytes = machine.files.usedBytes + room;
    const texts = Array.from({ length: 10 }, (_, index) => `t${index}`);
    const outcomes = texts.map((text) => attempt(wal, text));
    await settle();
    assert.ok(outcomes.every(({ outcome }) => outcome === "refused"));
    // Killed: nothing is closed. What was on its way may be there or not, in order.
    const after = await new WalMachine(machine.files).start();
    assert.deepEqual(after.texts, ["acknowledged", ...texts].slice(0, after.texts.length));
    assert.ok(after.texts.length >= 1);
  }
});

test("a new segment that cannot be made blocks as well, at every step of making it", async () => {
  for (const kind of ["open", "write", "sync", "sync-directory"] as const) {
    const machine = new WalMachine();
    const { wal } = await machine.start({ segmentBytes: 60 });
    await wal.append("t", 1, toBytes("in segment one"));
    const heal = machine.files.failWrites((operation) =>
      operation.kind === kind && !operation.path.endsWith("01")
        ? { code: "ENOSPC", partialBytes: 11 }
        : undefined,
    );
    await assert.rejects(wal.append("t", 1, toBytes("in segment two")), isBlocked, kind);
    heal();
    await machine.clock.advance(1000);
    await wal.append("t", 1, toBytes("in segment three"));
    await wal.close();
    const { texts, records } = await machine.start();
    assert.deepEqual(texts, ["in segment one", "in segment two", "in segment three"]);
    assert.deepEqual(
      records.map(({ segment }) => segment),
      [1, 2, 3],
    );
  }
});

test("closing a blocked log tries once more, and says so if it fails", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start();
  const heal = refuse(machine, "write", { code: "EIO" });
  await assert.rejects(wal.append("t", 1, toBytes("a")), isBlocked);
  await assert.rejects(wal.close(), isBlocked);
  assert.equal(machine.clock.timersWaiting, 0);
  heal();

  const second = new WalMachine();
  const { wal: healed } = await second.start();
  const healSecond = refuse(second, "write", { code: "EIO" });
  await assert.rejects(healed.append("t", 1, toBytes("a")), isBlocked);
  healSecond();
  await healed.close();
  assert.deepEqual((await second.start()).texts, ["a"]);
});

test("deleting segments: a failure is thrown, counted, and leaves no gap", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start({ segmentBytes: 60 });
  for (const text of ["one", "two", "three", "four"]) {
    await wal.append("t", 1, toBytes(`${text} ${"x".repeat(20)}`));
  }
  const heal = machine.files.failWrites(({ kind, path }) =>
    kind === "remove" && path === segmentPath(2) ? { code: "EIO" } : undefined,
  );
  await assert.rejects(wal.deleteSegmentsBefore(4));
  heal();
  assert.equal(await machine.metric("cortex_ingester_tsdb_wal_truncations_failed_total"), 1);
  await wal.close();
  assert.equal((await machine.start()).texts.length, 3);
});

for (const sync of ["interval", "commit"] as const) {
  test(`sync ${sync}: after a failed fdatasync the unsynced records go to a new segment`, async () => {
    const machine = new WalMachine();
    const { wal } = await machine.start({ sync });
    await wal.append("t", 1, toBytes("synced"));
    await machine.clock.advance(1000);
    const heal = refuse(machine, "sync", { code: "EIO" });
    const first = attempt(wal, "in doubt");
    await machine.clock.advance(1000);
    assert.equal(first.outcome, sync === "commit" ? "refused" : "written");
    assert.ok(isBlocked(wal.blocked));
    assert.match(wal.blocked?.message ?? "", /fdatasync.*EIO.*check the disk/);
    assert.equal(attempt(wal, "refused").outcome, "waits");
    await machine.clock.advance(5000);
    assert.ok(isBlocked(wal.blocked));
    heal();
    await machine.clock.advance(1000);
    assert.equal(wal.blocked, undefined);
    const position = wal.position();
    assert.equal(position.segment, 2);
    // What was in doubt is durable now, though the old file has lost it.
    const survived = await new WalMachine(machine.files.crash(new SeededRandom(1))).start();
    assert.deepEqual(survived.texts, ["synced", "in doubt"]);
    assert.deepEqual(
      survived.records.map(({ segment }) => segment),
      [1, 2],
    );
    await wal.append("t", 1, toBytes("after"));
    await wal.append("new tenant", 1, toBytes("of a new tenant"));
    await wal.close();
    // The old file still shows the bytes here (no power cut); they must not come twice.
    const { texts, records } = await machine.start();
    const { segment, offsetBytes } = must(records[2], "the record after");
    assert.deepEqual({ segment, offsetBytes }, position);
    assert.deepEqual(texts, ["synced", "in doubt", "after", "of a new tenant"]);
  });
}

test("killed while it moves records to a new segment: those acknowledged before are there", async () => {
  for (let partialBytes = 0; partialBytes < 90; partialBytes++) {
    const machine = new WalMachine();
    const { wal } = await machine.start();
    await wal.append("t", 1, toBytes("synced"));
    await machine.clock.advance(1000);
    await wal.append("t", 1, toBytes("acknowledged one"));
    await wal.append("t", 1, toBytes("acknowledged two"));
    const heal = refuse(machine, "sync", { code: "EIO" });
    await machine.clock.advance(1000);
    assert.ok(isBlocked(wal.blocked));
    heal();
    refuse(machine, "write", { code: "EIO", partialBytes });
    await machine.clock.advance(1000);
    const { texts } = await new WalMachine(machine.files.copy()).start();
    assert.deepEqual(texts, ["synced", "acknowledged one", "acknowledged two"]);
  }
});

test("a failed fdatasync while segments wait: all records stay, in order, with their tenants", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start({ segmentBytes: 90 });
  const texts = Array.from({ length: 12 }, (_, index) => `record ${index}`);
  await wal.append("a", 1, toBytes("zero"));
  // The end of a segment is synced before the next is made: so this fails in the middle of the burst.
  const heal = refuse(machine, "sync", { code: "EIO" });
  const outcomes = texts.map((text, index) => {
    const state = { rejected: false };
    wal.append(["a", "b", "c"][index % 3] as string, 1, toBytes(text)).catch(() => {
      state.rejected = true;
    });
    return state;
  });
  await settle();
  assert.ok(outcomes.every(({ rejected }) => rejected));
  heal();
  await machine.clock.advance(1000);
  await wal.append("c", 1, toBytes("last"));
  await wal.close();
  const { records } = await machine.start();
  assert.deepEqual(
    records.map(({ tenant, text }) => `${tenant}:${text}`),
    ["a:zero", ...texts.map((text, index) => `${["a", "b", "c"][index % 3]}:${text}`), "c:last"],
  );
});

test("killed, started again, then a power cut: what the killed one had not synced is not torn", async () => {
  for (let seed = 0; seed < 60; seed++) {
    const first = new WalMachine();
    const { wal } = await first.start({ sync: "interval" });
    for (const text of ["one", "two", "three"]) await wal.append("t", 1, toBytes(text));
    const second = new WalMachine(first.files.copy());
    const { wal: next } = await second.start({ sync: "interval" });
    await next.append("t", 1, toBytes("four"));
    await second.clock.advance(1000);
    const disk = second.files.crash(new SeededRandom(seed));
    const { texts } = await new WalMachine(disk).start();
    assert.deepEqual(texts, ["one", "two", "three", "four"]);
  }
});

test("a sync that fails at close is made good in a new segment, or thrown", async () => {
  const machine = new WalMachine();
  const { wal } = await machine.start();
  await wal.append("t", 1, toBytes("a"));
  let failures = 0;
  machine.files.failWrites(({ kind }) =>
    kind === "sync" && failures++ === 0 ? { code: "EIO" } : undefined,
  );
  await wal.close();
  const survived = await new WalMachine(machine.files.crash(new SeededRandom(3))).start();
  assert.deepEqual(survived.texts, ["a"]);

  const second = new WalMachine();
  const { wal: unlucky } = await second.start({ sync: "none" });
  await unlucky.append("t", 1, toBytes("a"));
  refuse(second, "sync", { code: "EIO" });
  await assert.rejects(unlucky.close(), isBlocked);
});

test("two syncs are never under way at once: the kernel tells only one of them of a failure", async () => {
  const machine = new WalMachine();
  const random = new SeededRandom(7);
  machine.files.pause = randomPause(random);
  const { wal } = await machine.start({ segmentBytes: 200, syncIntervalMs: 10 });
  const appends: Promise<void>[] = [];
  for (let index = 0; index < 200; index++) {
    appends.push(wal.append("t", 1, toBytes(`record ${index}`)));
    if (index % 3 === 0) await machine.clock.advance(7);
  }
  await Promise.all(appends);
  await wal.close();
  assert.equal(machine.files.syncsAtOnceMax, 1);
});

test("sync commit: whatever was acknowledged before a power cut is there after it, in order", async () => {
  const run = async (seed: number, burst: number): Promise<void> => {
    const machine = new WalMachine();
    const { wal } = await machine.start({ sync: "commit", segmentBytes: 300 });
    const acknowledged: string[] = [];
    const all: string[] = [];
    let crashed = false;
    const random = new SeededRandom(seed);
    // The power is cut before a random change of the disk.
    let changesLeft = random.uint32() % 40;
    let after = machine.files;
    let acknowledgedThen: string[] = [];
    machine.files.failWrites(() => {
      if (!crashed && changesLeft-- === 0) {
        crashed = true;
        after = machine.files.crash(random);
        acknowledgedThen = [...acknowledged];
      }
      return undefined;
    });
    for (let index = 0; index < 40; index += burst) {
      const appends = Array.from({ length: burst }, async (_, offset) => {
        const text = `record ${index + offset}`;
        all.push(text);
        await wal.append(`t${offset % 3}`, 1, toBytes(text));
        acknowledged.push(text);
      });
      await Promise.all(appends);
    }
    if (!crashed) return;
    const { texts, wal: next } = await new WalMachine(after).start({ sync: "commit" });
    assert.deepEqual(texts, all.slice(0, texts.length));
    assert.ok(
      texts.length >= acknowledgedThen.length,
      `${texts.length} of ${acknowledgedThen.length}`,
    );
    await next.append("t0", 1, toBytes("goes on"));
    const again = await new WalMachine(after.crash(random)).start();
    assert.deepEqual(again.texts, [...texts, "goes on"]);
  };
  await fc.assert(fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 9 }), run), {
    numRuns: 300,
  });
});

test("sync interval: a power cut loses at most what was appended since the last sync", async () => {
  for (let seed = 0; seed < 50; seed++) {
    const machine = new WalMachine();
    const { wal } = await machine.start();
    await wal.append("t", 1, toBytes("a"));
    await wal.append("t", 1, toBytes("b"));
    await machine.clock.advance(1000);
    await wal.append("t", 1, toBytes("c"));
    const { texts } = await new WalMachine(machine.files.crash(new SeededRandom(seed))).start();
    assert.deepEqual(texts, ["a", "b", "c"].slice(0, texts.length));
    assert.ok(texts.length >= 2);
    await wal.close();
  }
});

test("random failures of any kind: every acknowledged record is there, each once, in order", async () => {
  const run = async (seed: number, sync: "interval" | "commit"): Promise<void> => {
    const machine = new WalMachine();
    const random = new SeededRandom(seed);
    // Slow enough that writes, syncs and appends overlap.
    machine.files.pause = randomPause(random);
    const { wal } = await machine.start({ sync, segmentBytes: 250, pendingBytesMax: 4096 });
    const taken: string[] = [];
    let acknowledged = 0;
    const killed: { files: MemoryFileSystem; acknowledged: number }[] = [];
    const heal = machine.files.failWrites(({ length }) => {
      if (random.float() < 0.05) killed.push({ files: machine.files.copy(), acknowledged });
      return random.float() < 0.15
        ? {
            code: random.float() < 0.5 ? "EIO" : "ENOSPC",
            partialBytes: random.uint32() % (length + 1),
          }
        : undefined;
    });
    for (let index = 0; index < 60; index++) {
      if (wal.admit(100) === undefined) {
        // Taken: rejected or not, it stays in the log.
        const text = `record ${index}`;
        taken.push(text);
        const appended = wal.append(`t${random.uint32() % 4}`, 1, toBytes(text));
        const count = taken.length;
        appended.then(
          () => {
            acknowledged = count;
          },
          () => undefined,
        );
      }
      if (random.float() < 0.1) wal.cutSegment().catch(() => undefined);
      if (random.float() < 0.5) await machine.clock.advance(random.uint32() % 1500);
    }
    heal();
    for (let second = 0; second < 20; second++) await machine.clock.advance(1000);
    assert.equal(wal.blocked, undefined);
    await wal.close();
    assert.deepEqual((await machine.start()).texts, taken);
    const cut = await new WalMachine(machine.files.crash(random)).start();
    assert.deepEqual(cut.texts, taken);
    for (const kill of killed) {
      // Whatever the process was doing when it was killed: all acknowledged records are there, in order.
      const { texts } = await new WalMachine(kill.files).start();
      assert.deepEqual(texts, taken.slice(0, texts.length));
      assert.ok(texts.length >= kill.acknowledged, `${texts.length} of ${kill.acknowledged}`);
    }
    assert.ok((await machine.files.list(WAL_DIRECTORY)).every((name) => !name.endsWith(".tmp")));
  };
  const modes = fc.constantFrom("interval" as const, "commit" as const);
  await fc.assert(fc.asyncProperty(fc.nat(), modes, run), { numRuns: 150 });
});
