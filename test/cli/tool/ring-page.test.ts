import assert from "node:assert/strict";
import { test } from "node:test";
import { readRingPage } from "../../../src/cli/tool/ring/ring-page.ts";

test("Mimir's own page is read; what it does not tell is unknown", () => {
  const page = readRingPage(
    JSON.stringify({
      now: "2026-01-02T03:04:05.5Z",
      shards: [
        {
          id: "ingester-10",
          state: "UNHEALTHY",
          address: "10.0.0.1:9095",
          timestamp: "2026-01-02T02:04:05Z",
          registered_timestamp: "2026-01-01T00:00:00Z",
          read_only: false,
          read_only_updated_timestamp: "",
          zone: "a",
          tokens: [1, 2],
        },
        {
          id: "ingester-9",
          state: "ACTIVE",
          address: "h:1",
          timestamp: "2026-01-02T03:04:05+00:00",
        },
      ],
    }),
  );
  assert.deepEqual(
    page.instances.map(({ id }) => id),
    ["ingester-9", "ingester-10"],
  );
  assert.deepEqual(page.instances[1], {
    id: "ingester-10",
    state: "UNHEALTHY",
    isAlive: false,
    address: "10.0.0.1:9095",
    zone: "a",
    heartbeatMs: Date.parse("2026-01-02T02:04:05Z"),
    heartbeatAgeMs: 3_600_500,
    readOnly: false,
    tokenCount: 2,
    tokens: [1, 2],
    owned: undefined,
    held: undefined,
    serving: undefined,
    versions: {},
  });
  assert.equal(page.quorum, undefined);
});

test("what is no ring page says so", () => {
  assert.throws(() => readRingPage("<html>"), /not JSON: is this the HTTP port of a member\?/);
  assert.throws(
    () => readRingPage('{"now":"2026-01-02T03:04:05Z","shards":[{}]}'),
    /\(shards\.0\.id: /,
  );
  assert.throws(() => readRingPage('{"now":"soon"}'), /"soon" is not a time/);
});
