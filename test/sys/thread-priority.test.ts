import assert from "node:assert/strict";
import { getPriority } from "node:os";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

const MODULE = new URL("../../src/sys/thread-priority.ts", import.meta.url).href;

test("a thread goes to the background alone", { skip: process.platform !== "linux" }, async () => {
  const before = getPriority();
  const code = `
    import { readlinkSync } from "node:fs";
    import { getPriority } from "node:os";
    import { parentPort } from "node:worker_threads";
    import { moveThreadToBackground } from ${JSON.stringify(MODULE)};
    const isMoved = moveThreadToBackground();
    const threadId = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    parentPort.postMessage({ isMoved, niceness: getPriority(threadId) });`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const said = await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  await worker.terminate();
  assert.deepEqual(said, { isMoved: true, niceness: 10 });
  assert.equal(getPriority(), before);
});
