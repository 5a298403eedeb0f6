import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptionError } from "../../src/base/errors.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { readTokenFile, writeTokenFile } from "../../src/ring/token-file.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";

const PATH = "data/tokens";

async function diskWith(text: string): Promise<MemoryFileSystem> {
  const files = new MemoryFileSystem();
  await files.makeDirectory("data");
  await files.writeFileAtomic(PATH, new TextEncoder().encode(text));
  return files;
}

test("tokens survive a crash of the machine", async () => {
  const files = new MemoryFileSystem();
  await files.makeDirectory("data");
  assert.equal(await readTokenFile(files, PATH), undefined);
  const tokens = Uint32Array.of(0, 7, 0xffffffff);
  await writeTokenFile(files, PATH, { tokens, registeredAtMs: 7 });
  assert.deepEqual(await readTokenFile(files.crash(new SeededRandom(1)), PATH), {
    tokens,
    registeredAtMs: 7,
  });
});

test("the file is Mimir's", async () => {
  const files = await diskWith('{"tokens":[9,3,3]}');
  assert.deepEqual(await readTokenFile(files, PATH), {
    tokens: Uint32Array.of(3, 9),
    registeredAtMs: undefined,
  });
  await writeTokenFile(files, PATH, { tokens: Uint32Array.of(1, 2), registeredAtMs: 7 });
  assert.equal(
    new TextDecoder().decode(await files.readFile(PATH)),
    '{"tokens":[1,2],"registered_at_ms":7}',
  );
});

for (const text of [
  "",
  "null",
  "{}",
  '{"tokens":7}',
  '{"tokens":[-1]}',
  '{"tokens":[4294967296]}',
  '{"tokens":[0.5]}',
  '{"tokens":["1"]}',
  '{"tokens":[1],"registered_at_ms":"x"}',
]) {
  test(`a file that holds ${JSON.stringify(text)} is named as damaged`, async () => {
    await assert.rejects(readTokenFile(await diskWith(text), PATH), (error) => {
      assert.ok(error instanceof CorruptionError);
      assert.match(error.message, /^data\/tokens at byte 0: .*; remove the file/);
      return true;
    });
  });
}

test("a disk that fails is not a missing file", async () => {
  const files = await diskWith("{}");
  await assert.rejects(readTokenFile(files, "data"));
});
