/**
 * The blueprint's own mimir.yaml, verbatim, in a running process: what each of its keys does. Where a key's feature has its
 * own issue, what it does now is to say that it waits.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { parse } from "yaml";
import { must } from "../../src/base/assert.ts";
import { loadConfig } from "../../src/config/load.ts";
import { namedSeries, type SamplePairs, writeBody } from "../testkit/remote-write.ts";
import { settle, TestClock } from "../testkit/test-clock.ts";
import { type AppFixture, during, newApp, portOf } from "./app-fixture.ts";

const blueprint = readFileSync(
  join(import.meta.dirname, "../../config/mimir-blueprint.yaml"),
  "utf8",
);
const MINUTE = 60_000;
const tested = new Set<string>();

/** A clock whose monotonic time goes on by itself when it is looked at, to make work take long. */
class SlowClock extends TestClock {
  strideMs = 0;
  #extraMs = 0;

  override monotonicMs(): number {
    this.#extraMs += this.strideMs;
    return super.monotonicMs() + this.#extraMs;
  }
}

interface Running extends AppFixture, AsyncDisposable {
  readonly slowClock: SlowClock;
  readonly probed: string[];
  send(samples: SamplePairs, headers?: Record<string, string>): Promise<number>;
  read(path: string): Promise<{ readonly status: number; readonly body: string }>;
  metric(name: string): Promise<number>;
  /** The lines about queries. */
  queries(): readonly { readonly level: string; readonly fields: Record<string, unknown> }[];
}

const tenant = { "x-scope-orgid": "t" };

type Change = readonly [from: string, to: string];

/** The file, with `changes` made to its text first. */
function start(...changes: readonly Change[]): Promise<Running> {
  return startWith([], changes);
}

async function startWith(flags: readonly string[], changes: readonly Change[]): Promise<Running> {
  let text = blueprint;
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), from);
    text = text.replace(from, to);
  }
  const loaded = await loadConfig({
    argv: [
      "-config.file=mimir.yaml",
      "-config.expand-env",
      "-server.http-listen-address=127.0.0.1",
      "-server.http-listen-port=0",
      ...flags,
    ],
    readFile: async () => text,
    env: { MIMIR_AWS_ACCESS_KEY: "the-access-key", MIMIR_AWS_SECRET_KEY: "the-secret" },
  });
  assert.ok("config" in loaded);
  const slowClock = new SlowClock();
  const probed: string[] = [];
  const fixture = newApp({
    config: loaded.config,
    warnings: loaded.warnings,
    explicit: [...loaded.explicit],
    machine: {
      clock: slowClock,
      probe: async (url) => {
        probed.push(url);
        return { kind: "unreachable", reason: "getaddrinfo ENOTFOUND" };
      },
    },
  });
  await during(slowClock, fixture.app.start());
  const base = `http://127.0.0.1:${portOf(fixture.server)}`;
  return {
    ...fixture,
    slowClock,
    probed,
    send: async (samples, headers = tenant) => {
      const answer = await fetch(`${base}/api/v1/push`, {
        method: "POST",
        headers: {
          "content-type": "application/x-protobuf",
          "content-encoding": "snappy",
          ...headers,
        },
        body: new Uint8Array(writeBody(namedSeries("up", { job: "a" }, samples))),
      });
      await answer.text();
      return answer.status;
    },
    read: async (path) => {
      const answer = await fetch(`${base}${path}`, { headers: tenant });
      return { status: answer.status, body: (await answer.text()).replaceAll("&quot;", '"') };
    },
    metric: async (name) => {
      const metric = must(fixture.app.registry.getSingleMetric(name), name);
      return (await metric.get()).values.reduce((sum, { value }) => sum + value, 0);
    },
    queries: () => fixture.logger.lines.filter(({ message }) => message === "query stats"),
    [Symbol.asyncDispose]: () => during(slowClock, fixture.app.stop()),
  };
}

function effect(keys: readonly string[], what: string, run: () => Promise<void>): void {
  for (const key of keys) tested.add(key);
  test(`${keys.join(", ")}: ${what}`, run);
}

function run(fromMs: number, count: number, stepMs: number): SamplePairs {
  return Array.from({ length: count }, (_, i) => [fromMs + i * stepMs, i * 1.1]);
}

effect(["multitenancy_enabled"], "a push without a tenant is refused", async () => {
  await using strict = await start();
  const now: SamplePairs = [[strict.slowClock.nowMs(), 1]];
  assert.equal(await strict.send(now, {}), 401);
  assert.equal(await strict.send(now), 200);
  await using open = await start(["multitenancy_enabled: true", "multitenancy_enabled: false"]);
  assert.equal(await open.send(now, {}), 200);
  assert.deepEqual(
    open.app.tenants().map((view) => view.tenant),
    ["anonymous"],
  );
});

effect(
  ["common.storage.backend", "common.storage.s3.endpoint", "common.storage.s3.bucket_name"],
  "the bucket is looked for, and that it does not answer is said",
  async () => {
    await using muninn = await start();
    await settle();
    assert.deepEqual(muninn.probed, ["https://s3.us-east-1.amazonaws.com/"]);
    const said =
      'object storage (s3 bucket "enterprise-mimir-longterm-storage" at https://s3.us-east-1.amazonaws.com/) is configured but unreachable (getaddrinfo ENOTFOUND)';
    assert.ok((await muninn.read("/")).body.includes(said));
    assert.ok((await muninn.read("/ready")).body.includes(said));
    assert.ok(muninn.logger.lines.some(({ message }) => message.includes(said)));
    assert.equal(await muninn.send([[muninn.slowClock.nowMs(), 1]]), 200, "it works without it");
  },
);

effect(
  ["common.storage.s3.access_key_id", "common.storage.s3.secret_access_key"],
  "they are secrets from the environment, and wait for the bucket",
  async () => {
    await using muninn = await start();
    const { body } = await muninn.read("/config");
    assert.doesNotMatch(body, /the-access-key|the-secret/);
    assert.match(body, /secret_access_key: "?\*+/);
    const { body: ready } = await muninn.read("/ready");
    assert.match(ready, /"object storage": .*access_key_id.*secret_access_key/);
  },
);

effect(
  [
    "distributor.config.ingress_rate_limit_per_tenant",
    "distributor.config.ingress_burst_size_per_tenant",
  ],
  "100,000 samples a second, 200,000 at once",
  async () => {
    await using muninn = await start();
    const fromMs = muninn.slowClock.nowMs() - 10 * MINUTE;
    assert.equal(await muninn.send(run(fromMs, 200_001, 1)), 429);
    assert.equal(await muninn.send(run(fromMs, 200_000, 1)), 200);
    assert.equal(await muninn.send(run(fromMs + 200_000, 1, 1)), 429);
    await muninn.slowClock.advance(1000);
    assert.equal(await muninn.send(run(fromMs + 200_000, 100_001, 1)), 429);
    assert.equal(await muninn.send(run(fromMs + 200_000, 100_000, 1)), 200);
  },
);

effect(
  ["query_frontend.split_queries_by_interval"],
  "it waits for its feature, which every side says",
  async () => {
    await using muninn = await start();
    for (const path of ["/", "/ready", "/services"]) {
      const { body } = await muninn.read(path);
      assert.match(body, /"query frontend": .*split_queries_by_interval \(mimir\.yaml:/, path);
    }
  },
);

effect(
  ["ingester.lifecycler.ring.kvstore.store", "ingester.lifecycler.ring.replication_factor"],
  "one process alone holds each series once; a member of a cluster gossips, and needs the others",
  async () => {
    const now: SamplePairs = [[new TestClock().nowMs(), 1]];
    await using alone = await start();
    const { body } = await alone.read("/config");
    assert.match(body, /kvstore:\n\s+store: memberlist\n/);
    assert.match(body, /replication_factor: 3\n/);
    assert.doesNotMatch((await alone.read("/ready")).body, /lifecycler/, "they wait for nothing");
    assert.equal(await alone.send(now), 200);

    // The same file where a cluster is meant: three must have a sample, and two are asked for.
    const flags = ["-memberlist.bind-port=0", "-server.rpc-listen-port=0"];
    const pushTo = async (...changes: readonly Change[]): Promise<number> => {
      await using member = await startWith(flags, changes);
      return await during(member.slowClock, member.send(now));
    };
    assert.equal(await pushTo(), 500, "one is too few for a factor of 3");
    assert.equal(await pushTo(["replication_factor: 3", "replication_factor: 1"]), 200);
    assert.equal(await pushTo(["store: memberlist", "store: inmemory"]), 200, "never a cluster");
  },
);

effect(["ingester.chunks_write_buffer_size"], "closed chunks are gathered", async () => {
  const written = "muninn_head_chunks_written_bytes_total";
  const samples = run(new TestClock().nowMs() - 20 * MINUTE, 60_000, 10);
  await using muninn = await start();
  assert.equal(await muninn.send(samples), 200);
  await settle();
  assert.equal(await muninn.metric(written), 0, "less than the buffer waits");
  await muninn.slowClock.advance(1000);
  assert.ok((await muninn.metric(written)) > 65_536, "but not for long");
  await using small = await start([
    "chunks_write_buffer_size: 5242880",
    "chunks_write_buffer_size: 65536",
  ]);
  assert.equal(await small.send(samples), 200);
  await settle();
  assert.ok((await small.metric(written)) > 65_536, "a smaller buffer is full");
});

effect(["ingester.chunk_idle_period"], "a chunk that rests is closed", async () => {
  const closed = "muninn_ingester_idle_chunks_closed_total";
  await using muninn = await start();
  const startMs = muninn.slowClock.nowMs();
  await muninn.send([[startMs, 1]]);
  await muninn.slowClock.advance(15 * MINUTE);
  assert.equal(await muninn.metric(closed), 0);
  await muninn.slowClock.advance(2 * MINUTE);
  assert.equal(await muninn.metric(closed), 1);
  const { body } = await muninn.read(`/prometheus/api/v1/query?query=up&time=${startMs / 1000}`);
  assert.deepEqual(JSON.parse(body).data.result[0].value, [startMs / 1000, "1"]);
});

effect(["ingester.max_chunk_age"], "no chunk spans two ranges of it", async () => {
  const hours2 = 2 * 3_600_000;
  const boundary = Math.floor(new TestClock().nowMs() / hours2) * hours2;
  const query = `/prometheus/api/v1/query?query=count_over_time(up[5m])&time=${boundary / 1000 + 15}`;
  const chunks = async (muninn: Running): Promise<unknown> => {
    assert.equal(await muninn.send(run(boundary - 30_000, 4, 15_000)), 200);
    assert.equal(JSON.parse((await muninn.read(query)).body).data.result[0].value[1], "4");
    return muninn.queries()[0]?.fields["fetched_chunks_count"];
  };
  await using muninn = await start();
  assert.equal(await chunks(muninn), 2);
  await using other = await start(["max_chunk_age: 2h", "max_chunk_age: 3h"]);
  assert.equal(await chunks(other), 1);
});

effect(["query_frontend.align_queries_with_step"], "steps are multiples of the step", async () => {
  const minute = Math.floor(new TestClock().nowMs() / MINUTE) * 60;
  const query = `/prometheus/api/v1/query_range?query=1&start=${minute + 7}&end=${minute + 129}&step=60`;
  const times = async (muninn: Running): Promise<number[]> =>
    JSON.parse((await muninn.read(query)).body).data.result[0].values.map(
      ([seconds]: [number]) => seconds - minute,
    );
  await using muninn = await start();
  assert.deepEqual(await times(muninn), [0, 60, 120]);
  await using other = await start(["with_step: true", "with_step: false"]);
  assert.deepEqual(await times(other), [7, 67, 127]);
});

effect(["query_frontend.log_queries_longer_than"], "slow queries are logged", async () => {
  await using muninn = await start();
  const query = "/prometheus/api/v1/query?query=vector(1)";
  muninn.slowClock.strideMs = 100;
  await muninn.read(query);
  muninn.slowClock.strideMs = 6000;
  await muninn.read(query);
  assert.deepEqual(
    muninn.queries().map(({ level }) => level),
    ["debug", "info"],
  );
  assert.equal(muninn.queries()[1]?.fields["param_query"], "vector(1)");
  muninn.slowClock.strideMs = 0;
});

after(() => {
  assert.deepEqual([...tested].sort(), leaves(parse(blueprint)).sort(), "every key has a test");
});

function leaves(tree: unknown, path = ""): string[] {
  if (typeof tree !== "object" || tree === null) return [path];
  return Object.entries(tree).flatMap(([key, inner]) =>
    leaves(inner, path === "" ? key : `${path}.${key}`),
  );
}
