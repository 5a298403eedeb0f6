/** How queries end early: their time, their client, a full queue, a runaway evaluation. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { test } from "node:test";
import { OpError } from "../../src/base/errors.ts";
import type { LabelsRequest, SelectRequest } from "../../src/storage/queryable.ts";
import { MemoryQueryable, testSeries } from "../testkit/memory-queryable.ts";
import { settle } from "../testkit/test-clock.ts";
import { type QueryFixture, queryFixture, STAND_IN } from "./query-fixture.ts";

const NOW_MS = 1_700_000_000_000;
const stored = [testSeries({ __name__: "up" }, NOW_MS - 60_000, 15_000, [1, 2, 3, 4])];

/** Its selects wait until `open` is called. */
class SlowQueryable extends MemoryQueryable {
  readonly #gate = Promise.withResolvers<void>();
  readonly open = this.#gate.resolve;

  override async select(tenant: string, selected: SelectRequest) {
    const set = await super.select(tenant, selected);
    await this.#gate.promise;
    return set;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settle();
}

async function inflight(api: QueryFixture, name: string): Promise<number> {
  const text = await api.registry.getSingleMetricAsString(name);
  return Number(/ (\d+)$/.exec(text)?.[1]);
}

test("a fetch that takes too long: 503, and the place is free again", async () => {
  const source = new SlowQueryable({ t: stored });
  await using api = queryFixture([source], { workerFile: STAND_IN, concurrentMax: 1 });
  const slow = api.get("query?query=up");
  await until(() => source.selects.length === 1);
  await api.clock.advance(119_999);
  assert.equal(await inflight(api, "muninn_querier_inflight_queries"), 1);
  await api.clock.advance(1);
  const { status, body } = await slow;
  assert.equal(status, 503);
  assert.equal(body.errorType, "timeout");
  assert.equal(body.error, "query timed out in query execution");
  assert.equal(await inflight(api, "muninn_querier_inflight_queries"), 0);
  source.open();
  assert.equal((await api.get("query?query=up")).status, 200);
  assert.equal(api.clock.timersWaiting, 0);
});

test("the timeout of a request shortens, and cannot lengthen", async () => {
  const source = new SlowQueryable({ t: stored });
  await using api = queryFixture([source], { workerFile: STAND_IN });
  const short = api.get("query?query=up&timeout=5s");
  const long = api.get("query?query=up&timeout=1h");
  await until(() => source.selects.length === 2);
  await api.clock.advance(5000);
  assert.equal((await short).status, 503);
  await api.clock.advance(115_000);
  assert.equal((await long).status, 503);
  const none = await api.get("query?query=up&timeout=0");
  assert.deepEqual([none.status, none.body.error], [503, "query timed out in query queue"]);
});

test("a runaway evaluation is killed, and the next query gets a new worker", async () => {
  const source = new MemoryQueryable({ t: stored });
  await using api = queryFixture([source], { workerFile: STAND_IN, concurrentMax: 2 });
  assert.equal((await api.get("query?query=up")).status, 200);
  const runaway = api.get("query?query=spin");
  await until(() => source.selects.length === 2);
  // The one thread is taken: this one waits for it.
  const next = api.get("query?query=up&timeout=1h");
  await until(() => source.selects.length === 3);
  await settle();
  assert.equal(await inflight(api, "muninn_querier_worker_queue_length"), 1);
  const shorter = api.get("query?query=up&timeout=1s");
  await api.clock.advance(1000);
  assert.equal((await shorter).body.error, "query timed out in query queue");
  await api.component.close();
  assert.equal((await runaway).status, 500);
  assert.equal((await next).status, 503);
});

test("a runaway evaluation: 503 when its time is up", async () => {
  const source = new MemoryQueryable({ t: stored });
  await using api = queryFixture([source], { workerFile: STAND_IN });
  const runaway = api.get("query?query=spin&timeout=10s");
  await until(() => source.selects.length === 1);
  await api.clock.advance(10_000);
  const { status, body } = await runaway;
  assert.deepEqual([status, body.error], [503, "query timed out in expression evaluation"]);
  const after = await api.get("query?query=up");
  assert.equal(after.status, 200);
  assert.equal(after.body.data.result.length, 1);
});

test("a full queue: 429", async () => {
  const source = new SlowQueryable({ t: stored });
  await using api = queryFixture([source], {
    workerFile: STAND_IN,
    concurrentMax: 1,
    waitingPerTenantMax: 1,
  });
  const first = api.get("query?query=up");
  await until(() => source.selects.length === 1);
  const second = api.get("query?query=up");
  await settle();
  const third = await api.get("query?query=up");
  assert.deepEqual(
    [third.status, third.body.errorType, third.body.error],
    [429, "too_many_requests", "too many outstanding requests"],
  );
  assert.match(await api.registry.metrics(), /^cortex_query_frontend_queue_length\{user="t"\} 1$/m);
  source.open();
  assert.deepEqual([(await first).status, (await second).status], [200, 200]);
});

test("a client that goes away ends its query", async () => {
  const source = new SlowQueryable({ t: stored });
  await using api = queryFixture([source], { workerFile: STAND_IN, concurrentMax: 1 });
  const { port } = await api.server.listen();
  const client = request({
    port,
    host: "127.0.0.1",
    path: "/prometheus/api/v1/query?query=up",
    headers: { "x-scope-orgid": "t" },
  });
  client.end();
  await until(() => source.selects.length === 1);
  client.destroy();
  await assert.rejects(once(client, "response"), { code: "ECONNRESET" });
  const line = () => api.logger.lines.find(({ message }) => message === "query stats");
  await until(() => line() !== undefined);
  assert.equal(line()?.fields["status"], "canceled");
  assert.equal(await inflight(api, "muninn_querier_inflight_queries"), 0);
  await until(() => api.clock.timersWaiting === 0);
  assert.match(
    await api.registry.metrics(),
    /request_duration_seconds_count\{.*status_code="499".*\} 1/,
  );
});

test("whatever ends a query ends its requests to the sources", async () => {
  const source = new SlowQueryable({ t: stored });
  await using api = queryFixture([source, new MemoryQueryable({ t: stored })], {
    workerFile: STAND_IN,
  });
  const isEnded = (): boolean[] => source.selects.map(({ signal }) => signal?.aborted === true);
  const late = api.get("query?query=up&timeout=5s");
  await until(() => source.selects.length === 1);
  await api.clock.advance(4999);
  assert.deepEqual(isEnded(), [false]);
  await api.clock.advance(1);
  assert.deepEqual(isEnded(), [true]);
  assert.equal((await late).status, 503);
  // One source runs into a limit while the other is still asked.
  const refused = new MemoryQueryable({ t: stored });
  refused.select = () => Promise.reject(new OpError("max-chunks-per-query", "too many"));
  await using both = queryFixture([refused, source], { workerFile: STAND_IN });
  assert.equal((await both.get("query?query=up")).status, 422);
  assert.deepEqual(isEnded(), [true, true]);
});

test("label requests end with their deadline too", async () => {
  const signals: (AbortSignal | undefined)[] = [];
  class Endless extends MemoryQueryable {
    override labelNames(_tenant: string, { signal }: LabelsRequest): Promise<string[]> {
      signals.push(signal);
      return new Promise(() => {});
    }
  }
  await using api = queryFixture([new Endless({})], { workerFile: STAND_IN });
  const answer = api.get("labels");
  await until(() => signals.length === 1);
  await api.clock.advance(120_000);
  assert.equal((await answer).status, 503);
  assert.equal(signals[0]?.aborted, true);
});

test("a failing source fails the query", async () => {
  class Failing extends MemoryQueryable {
    override async select(): Promise<never> {
      throw new Error("disk on fire");
    }
  }
  await using api = queryFixture([new Failing({})], { workerFile: STAND_IN });
  const { status, body } = await api.get("query?query=up");
  assert.deepEqual([status, body.errorType], [500, "internal"]);
});
