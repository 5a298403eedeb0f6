import assert from "node:assert/strict";
import { test } from "node:test";
import { QueryGate } from "../../src/querier/query-gate.ts";
import { settle } from "../testkit/test-clock.ts";

const never = new AbortController().signal;

function gate(options: Partial<ConstructorParameters<typeof QueryGate>[0]> = {}): QueryGate {
  return new QueryGate({ concurrentMax: 1, waitingPerTenantMax: 3, waitingMax: 5, ...options });
}

test("free places are taken at once, the next waits", async () => {
  const two = gate({ concurrentMax: 2 });
  const leave = await two.enter("a", never);
  await two.enter("a", never);
  let entered = false;
  const third = two.enter("b", never).then(() => {
    entered = true;
  });
  await settle();
  assert.deepEqual([entered, two.runningCount, two.waitingCount], [false, 2, 1]);
  leave();
  await third;
  assert.deepEqual([entered, two.runningCount, two.waitingCount], [true, 2, 0]);
});

test("places go round the tenants, and inside of a tenant first come first served", async () => {
  const one = gate();
  const order: string[] = [];
  const query = async (tenant: string, name: string): Promise<void> => {
    const leave = await one.enter(tenant, never);
    order.push(name);
    leave();
  };
  const leave = await one.enter("a", never);
  const all = [
    query("a", "a1"),
    query("a", "a2"),
    query("a", "a3"),
    query("b", "b1"),
    query("c", "c1"),
  ];
  leave();
  await Promise.all(all);
  assert.deepEqual(order, ["a1", "b1", "c1", "a2", "a3"]);
  assert.deepEqual([one.runningCount, one.waitingCount], [0, 0]);
});

test("a full queue refuses: per tenant, and over all", async () => {
  const full = gate();
  await full.enter("a", never);
  const enter = (tenant: string): Promise<unknown> => full.enter(tenant, never);
  const waiting = [enter("a"), enter("a"), enter("a")];
  await assert.rejects(enter("a"), { code: "too-many-requests" });
  waiting.push(enter("b"), enter("b"));
  await assert.rejects(enter("c"), { code: "too-many-requests" });
  assert.equal(full.waitingCount, waiting.length);
});

test("who aborts while waiting leaves the queue and takes no place", async () => {
  const one = gate();
  const leave = await one.enter("a", never);
  const gone = new AbortController();
  const waiting = one.enter("a", gone.signal);
  const behind = one.enter("a", never);
  gone.abort(new Error("went away"));
  await assert.rejects(waiting, { message: "went away" });
  assert.equal(one.waitingCount, 1);
  leave();
  (await behind)();
  assert.deepEqual([one.runningCount, one.waitingCount], [0, 0]);
  await assert.rejects(one.enter("a", gone.signal), { message: "went away" });
});
