import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { GUARD_DEFAULTS } from "../../../src/rpc/guard.ts";
import { IngesterPool } from "../../../src/rpc/http/ingester-pool.ts";
import { RPC_CLIENT_DEFAULTS } from "../../../src/rpc/http/options.ts";
import { MemoryLogger } from "../../http/http-fixture.ts";
import { MemoryIngester } from "../../testkit/memory-ingester.ts";
import { settle, TestClock } from "../../testkit/test-clock.ts";
import { RpcFixture } from "./rpc-fixture.ts";

const FRAME = Uint8Array.of(1);

interface PoolFixture {
  readonly pool: IngesterPool;
  readonly registry: Registry;
}

function newPool(): PoolFixture {
  const registry = new Registry();
  const pool = new IngesterPool({ ...RPC_CLIENT_DEFAULTS, clusterLabel: "blue" }, GUARD_DEFAULTS, {
    clock: new TestClock(),
    logger: new MemoryLogger(),
    registry,
  });
  return { pool, registry };
}

async function value(registry: Registry, line: string): Promise<string | undefined> {
  const found = (await registry.metrics()).split("\n").find((text) => text.startsWith(`${line} `));
  return found?.slice(line.length + 1);
}

test("an instance has one client as long as it has one address", async () => {
  const [one, two] = [new MemoryIngester(), new MemoryIngester()];
  await using first = await RpcFixture.open(one);
  await using second = await RpcFixture.open(two);
  const { pool, registry } = newPool();
  const client = pool.clientFor("a", `127.0.0.1:${first.port}`);
  assert.equal(pool.clientFor("a", `127.0.0.1:${first.port}`), client);
  await client.pushFrame("t", FRAME);
  const moved = pool.clientFor("a", `127.0.0.1:${second.port}`);
  assert.notEqual(moved, client);
  await moved.pushFrame("t", FRAME);
  await assert.rejects(client.pushFrame("t", FRAME), { code: "ingester-unreachable" });
  assert.deepEqual([one.pushes.length, two.pushes.length], [1, 1]);
  assert.equal(await value(registry, "cortex_distributor_ingester_clients"), "1");
  assert.equal(
    await value(
      registry,
      'cortex_ingester_client_request_duration_seconds_count{operation="/cortex.Ingester/Push",status_code="2xx"}',
    ),
    "2",
  );
  await pool.close();
});

test("clients of members that are gone are closed, and their calls under way finish", async () => {
  const ingester = new MemoryIngester();
  let openGate = (): void => {};
  ingester.gate = new Promise((resolve) => {
    openGate = resolve;
  });
  await using fixture = await RpcFixture.open(ingester);
  const address = `127.0.0.1:${fixture.port}`;
  const { pool, registry } = newPool();
  const gone = pool.clientFor("a", address);
  const stays = pool.clientFor("b", address);
  const pushed = gone.pushFrame("t", FRAME);
  while (ingester.pushes.length < 1) await settle();
  assert.equal(
    await value(registry, 'muninn_ingester_client_inflight_requests{request_type="push"}'),
    "1",
  );
  pool.retain(new Set(["b"]));
  assert.equal(await value(registry, "cortex_distributor_ingester_clients"), "1");
  await assert.rejects(gone.pushFrame("t", FRAME), /this client is closed/);
  openGate();
  await pushed;
  await stays.pushFrame("t", FRAME);
  assert.equal(pool.clientFor("b", address), stays);
  await pool.close();
  await assert.rejects(stays.pushFrame("t", FRAME), { code: "ingester-unreachable" });
});

test("an address that is none fails its calls and nothing else", async () => {
  const { pool } = newPool();
  const client = pool.clientFor("a", "[");
  await assert.rejects(client.pushFrame("t", FRAME), { code: "ingester-unreachable" });
  await pool.close();
});
