import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { FileSystem } from "../../src/base/file-system.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { NodeFileSystem } from "../../src/sys/node-file-system.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";

type Case = (files: FileSystem, root: string) => Promise<void>;

/** One suite for all implementations. */
function conformance(name: string, run: Case): void {
  test(`node: ${name}`, async () => {
    const root = await mkdtemp(join(tmpdir(), "muninn-fs-"));
    try {
      await run(new NodeFileSystem(), root);
    } finally {
      await rm(root, { recursive: true });
    }
  });
  test(`memory: ${name}`, async () => {
    const files = new MemoryFileSystem();
    await files.makeDirectory("/root");
    await run(files, "/root");
  });
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (found: Uint8Array): string => new TextDecoder().decode(found);
const code = (wanted: string) => (error: unknown) => (error as { code?: string }).code === wanted;

conformance(
  "folders are made with their parents, listed sorted, removed whole",
  async (fs, root) => {
    await fs.makeDirectory(`${root}/a/b`);
    await fs.makeDirectory(`${root}/a/b`);
    await fs.writeFileAtomic(`${root}/a/z`, bytes("z"));
    await fs.writeFileAtomic(`${root}/a/c`, bytes("c"));
    assert.deepEqual(await fs.list(`${root}/a`), ["b", "c", "z"]);
    assert.equal((await fs.stat(`${root}/a/b`)).isDirectory, true);
    await fs.removeDirectory(`${root}/a`);
    await fs.removeDirectory(`${root}/a`);
    await assert.rejects(fs.list(`${root}/a`), code("ENOENT"));
    assert.deepEqual(await fs.list(root), []);
  },
);

conformance("missing things are ENOENT, except for removal", async (fs, root) => {
  await assert.rejects(fs.open(`${root}/no`, "read"), code("ENOENT"));
  await assert.rejects(fs.open(`${root}/no/file`, "write"), code("ENOENT"));
  await assert.rejects(fs.readFile(`${root}/no`), code("ENOENT"));
  await assert.rejects(fs.stat(`${root}/no`), code("ENOENT"));
  await assert.rejects(fs.rename(`${root}/no`, `${root}/yes`), code("ENOENT"));
  await assert.rejects(fs.syncDirectory(`${root}/no`), code("ENOENT"));
  await fs.remove(`${root}/no`);
});

conformance("writes are positional and keep what is there", async (fs, root) => {
  const path = `${root}/file`;
  const first = await fs.open(path, "write");
  await first.write([bytes("hello"), bytes(""), bytes(" "), bytes("world")], 0);
  await first.sync();
  await first.close();
  const second = await fs.open(path, "write");
  await second.write(bytes("W"), 6);
  await second.write(bytes("!"), 13);
  assert.equal((await fs.stat(path)).sizeBytes, 14);
  const target = new Uint8Array(20);
  assert.equal(await second.read(target, 6), 8);
  assert.equal(text(target.subarray(0, 8)), "World\0\0!");
  assert.equal(await second.read(target, 14), 0);
  await second.close();
  assert.equal(text(await fs.readFile(path)), "hello World\0\0!");
});

conformance("truncate cuts, and what grows again is zero", async (fs, root) => {
  const file = await fs.open(`${root}/file`, "write");
  await file.write(bytes("abcdef"), 0);
  await file.truncate(2);
  await file.write(bytes("x"), 4);
  await file.close();
  assert.equal(text(await fs.readFile(`${root}/file`)), "ab\0\0x");
});

conformance("many buffers go out in one write", async (fs, root) => {
  const file = await fs.open(`${root}/file`, "write");
  const parts = Array.from({ length: 2500 }, (_, index) => bytes(`${index},`));
  await file.write(parts, 3);
  await file.close();
  const wanted = parts.map(text).join("");
  assert.equal(text((await fs.readFile(`${root}/file`)).subarray(3)), wanted);
});

conformance("rename replaces; an open file outlives its name", async (fs, root) => {
  await fs.writeFileAtomic(`${root}/old`, bytes("old"));
  await fs.writeFileAtomic(`${root}/new`, bytes("new"));
  const open = await fs.open(`${root}/old`, "read");
  await fs.rename(`${root}/new`, `${root}/old`);
  await fs.syncDirectory(root);
  assert.deepEqual(await fs.list(root), ["old"]);
  assert.equal(text(await fs.readFile(`${root}/old`)), "new");
  await fs.remove(`${root}/old`);
  const target = new Uint8Array(3);
  assert.equal(await open.read(target, 0), 3);
  assert.equal(text(target), "old");
  await open.close();
});

conformance("an atomic write leaves no temporary file", async (fs, root) => {
  await fs.writeFileAtomic(`${root}/file`, bytes("a long first content"));
  await fs.writeFileAtomic(`${root}/file`, bytes("short"));
  assert.equal(text(await fs.readFile(`${root}/file`)), "short");
  assert.deepEqual(await fs.list(root), ["file"]);
});

conformance("a file opened for reading cannot be written", async (fs, root) => {
  await fs.writeFileAtomic(`${root}/file`, bytes("x"));
  const file = await fs.open(`${root}/file`, "read");
  await assert.rejects(file.write(bytes("y"), 0), code("EBADF"));
  await file.close();
});

test("memory: a crash keeps synced bytes and a prefix of the rest", async () => {
  const lengths = new Set<number>();
  for (let seed = 0; seed < 200; seed++) {
    const files = new MemoryFileSystem();
    const file = await files.open("/f", "write");
    await file.write(bytes("0123"), 0);
    await file.sync();
    await files.syncDirectory("/");
    await file.write(bytes("4567"), 4);
    await file.write(bytes("89"), 8);
    const after = await files.crash(new SeededRandom(seed)).readFile("/f");
    assert.ok(after.length >= 4);
    assert.equal(text(after), "0123456789".slice(0, after.length));
    lengths.add(after.length);
  }
  assert.ok(lengths.has(4) && lengths.has(10) && lengths.has(5), [...lengths].join());
});

test("memory: names survive a crash once their folder is synced", async () => {
  let lost = 0;
  for (let seed = 0; seed < 50; seed++) {
    const files = new MemoryFileSystem();
    await files.makeDirectory("/d");
    await files.open("/d/synced", "write");
    await files.syncDirectory("/d");
    await files.open("/d/unsynced", "write");
    const names = await files.crash(new SeededRandom(seed)).list("/d");
    assert.equal(names[0], "synced");
    if (names.length === 1) lost++;
  }
  assert.ok(lost > 5 && lost < 45, String(lost));
});

test("memory: a failed sync loses what was not synced, and a later good one does not bring it back", async () => {
  const files = new MemoryFileSystem();
  const file = await files.open("/f", "write");
  await files.syncDirectory("/");
  await file.write(bytes("ab"), 0);
  const heal = files.failWrites(({ kind }) => (kind === "sync" ? { code: "EIO" } : undefined));
  await assert.rejects(file.sync(), code("EIO"));
  heal();
  await file.sync();
  assert.equal(text(await files.readFile("/f")), "ab");
  assert.equal((await files.crash(new SeededRandom(1)).readFile("/f")).length, 0);
});

test("memory: a full disk takes what fits", async () => {
  const files = new MemoryFileSystem();
  files.capacityBytes = 5;
  const file = await files.open("/f", "write");
  await file.write(bytes("abc"), 0);
  await assert.rejects(file.write(bytes("defg"), 3), code("ENOSPC"));
  assert.equal(text(await files.readFile("/f")), "abcde");
  await file.write(bytes("XYZ"), 0);
  files.capacityBytes = 8;
  await file.write(bytes("defg"), 3);
  assert.equal(text(await files.readFile("/f")), "XYZdefg");
});
