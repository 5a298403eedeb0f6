import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { OpError } from "../../src/base/errors.ts";
import { lockDataDirectory } from "../../src/sys/data-dir-lock.ts";

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "muninn-lock-"));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await once(child, "exit");
  return child.pid as number;
}

const lockOf = (pid: number, birth: string): string =>
  JSON.stringify({ pid, birth, token: "theirs" });

test("a second lock is refused with the process id, and given after a release", async () => {
  await inFolder(async (folder) => {
    const data = join(folder, "made/here");
    const lock = await lockDataDirectory(data);
    await assert.rejects(lockDataDirectory(data), (error: unknown) => {
      assert.ok(error instanceof OpError);
      assert.equal(error.code, "data-dir-locked");
      assert.match(error.message, new RegExp(`in use by process ${process.pid} `));
      return true;
    });
    assert.deepEqual(await readdir(data), ["~muninn.lock"]);
    await lock.release();
    assert.deepEqual(await readdir(data), []);
    await (await lockDataDirectory(data)).release();
  });
});

test("a lock of a dead process is taken over", async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, "~muninn.lock"), lockOf(await deadPid(), ""));
    const lock = await lockDataDirectory(folder);
    const { pid } = JSON.parse(await readFile(join(folder, "~muninn.lock"), "utf8"));
    assert.equal(pid, process.pid);
    assert.deepEqual(await readdir(folder), ["~muninn.lock"]);
    await lock.release();
  });
});

test("a lock of an earlier process with an id that lives again is taken over", async (t) => {
  if (process.platform !== "linux") return t.skip("start times of processes need Linux' /proc");
  await inFolder(async (folder) => {
    await writeFile(join(folder, "~muninn.lock"), lockOf(process.pid, "another-boot 1"));
    await (await lockDataDirectory(folder)).release();
  });
});

test("a lock of a living process of which nothing more is known is respected", async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, "~muninn.lock"), lockOf(process.ppid, ""));
    await assert.rejects(lockDataDirectory(folder), { code: "data-dir-locked" });
  });
});

test("a lock file that is none is taken over", async () => {
  for (const text of ["", "{", "12", '{"pid":"1"}', "null"]) {
    await inFolder(async (folder) => {
      await writeFile(join(folder, "~muninn.lock"), text);
      await (await lockDataDirectory(folder)).release();
    });
  }
});

test("a takeover that died half-way does not bar the next one", async () => {
  await inFolder(async (folder) => {
    const dead = await deadPid();
    await writeFile(join(folder, "~muninn.lock"), lockOf(dead, ""));
    await writeFile(join(folder, "~muninn.lock.takeover"), lockOf(dead, ""));
    await (await lockDataDirectory(folder)).release();
    assert.deepEqual(await readdir(folder), []);
  });
});

test("of many that find a stale lock exactly one gets it", async () => {
  for (let round = 0; round < 20; round++) {
    await inFolder(async (folder) => {
      await writeFile(join(folder, "~muninn.lock"), lockOf(999_999_999, ""));
      const attempts = await Promise.allSettled(
        Array.from({ length: 8 }, async () => await lockDataDirectory(folder)),
      );
      const won = attempts.filter(({ status }) => status === "fulfilled");
      assert.equal(won.length, 1);
      for (const attempt of attempts) {
        if (attempt.status === "rejected") assert.equal(attempt.reason.code, "data-dir-locked");
      }
    });
  }
});

test("a release leaves a lock that is somebody else's", async () => {
  await inFolder(async (folder) => {
    const lock = await lockDataDirectory(folder);
    await writeFile(join(folder, "~muninn.lock"), lockOf(1, ""));
    await lock.release();
    assert.deepEqual(await readdir(folder), ["~muninn.lock"]);
  });
});
