import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { defaultQueryThreads, openWorkerPool, type WorkerPool } from "../../src/sys/worker-pool.ts";
import type { TestJob } from "../testkit/test-worker.ts";

const file = new URL("../testkit/test-worker.ts", import.meta.url);

async function withPool(
  options: { threads: number; queueMax: number },
  body: (
    pool: WorkerPool,
    run: (job: TestJob, signal?: AbortSignal) => Promise<unknown>,
  ) => Promise<void>,
): Promise<void> {
  const pool = openWorkerPool({ file, ...options });
  try {
    await body(pool, (job, signal) =>
      pool.run(
        job,
        job.bytes === undefined || job.do === "spin" ? [] : [job.bytes.buffer as ArrayBuffer],
        signal ?? new AbortController().signal,
      ),
    );
  } finally {
    await pool.close();
  }
}

test("buffers move to the worker and back", async () => {
  await withPool({ threads: 1, queueMax: 1 }, async (_pool, run) => {
    const bytes = Uint8Array.of(1, 2, 3);
    assert.deepEqual(await run({ do: "sum", bytes }), Uint8Array.of(6));
    assert.equal(bytes.length, 0);
  });
});

test("what a worker throws comes out, and the worker lives on", async () => {
  await withPool({ threads: 1, queueMax: 1 }, async (_pool, run) => {
    await assert.rejects(run({ do: "throw" }), { name: "RangeError", message: "as asked" });
    assert.equal(await run({ do: "thread" }), "here");
  });
});

test("a runaway job is killed by its signal, and the next job gets a new thread", async () => {
  await withPool({ threads: 1, queueMax: 1 }, async (_pool, run) => {
    assert.equal(await run({ do: "thread" }), "here");
    const abort = new AbortController();
    const shared = new Uint8Array(new SharedArrayBuffer(1));
    const spinning = run({ do: "spin", bytes: shared }, abort.signal);
    while (Atomics.load(shared, 0) === 0) await setImmediate();
    abort.abort(new Error("enough"));
    await assert.rejects(spinning, { message: "enough" });
    assert.equal(await run({ do: "thread" }), "here");
  });
});

test("a job that waits can be aborted; a full queue refuses", async () => {
  await withPool({ threads: 1, queueMax: 1 }, async (pool, run) => {
    assert.equal(await run({ do: "thread" }), "here");
    const spin = new AbortController();
    const wait = new AbortController();
    const spinning = assert.rejects(run({ do: "spin" }, spin.signal), { message: "spin" });
    const waiting = assert.rejects(run({ do: "thread" }, wait.signal), { message: "wait" });
    assert.equal(pool.queueLength, 1);
    await assert.rejects(run({ do: "thread" }), { code: "too-many-requests" });
    wait.abort(new Error("wait"));
    await waiting;
    assert.equal(pool.queueLength, 0);
    const next = run({ do: "thread" });
    spin.abort(new Error("spin"));
    await spinning;
    assert.equal(await next, "here");
    await assert.rejects(run({ do: "thread" }, spin.signal), { message: "spin" });
  });
});

test("a worker that exits fails its job and is replaced", async () => {
  await withPool({ threads: 1, queueMax: 1 }, async (_pool, run) => {
    await assert.rejects(run({ do: "exit" }));
    assert.equal(await run({ do: "thread" }), "here");
  });
});

test("default thread count", () => {
  const threads = defaultQueryThreads();
  assert.ok(Number.isInteger(threads) && threads >= 2 && threads <= 8);
});
