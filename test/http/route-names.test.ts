import assert from "node:assert/strict";
import { test } from "node:test";
import { routeName } from "../../src/http/route-names.ts";

test("patterns become Mimir's route names", () => {
  const check = (pattern: string, want: string): void => assert.equal(routeName(pattern), want);
  check("/", "root");
  check("/api/v1/push", "api_v1_push");
  check("/prometheus/api/v1/query_range", "prometheus_api_v1_query_range");
  check("/prometheus/api/v1/label/:name/values", "prometheus_api_v1_label_name_values");
  check("/ingester/prepare-shutdown", "ingester_prepare_shutdown");
  check("/ready", "ready");
});
