import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { labelNameOfPath } from "../../src/querier/label-name.ts";
import {
  limitOf,
  optionalLookbackMs,
  optionalTimeMs,
  optionalTimeoutMs,
  parseTimeMs,
  rangeOf,
} from "../../src/querier/parameters.ts";

test("times", () => {
  const check = (text: string, want: number | undefined): void =>
    assert.equal(parseTimeMs(text), want, text);
  check("0", 0);
  check("-0", 0);
  check("1700000000", 1_700_000_000_000);
  check("1700000000.123", 1_700_000_000_123);
  check("1700000000.1239", 1_700_000_000_124);
  check("-1.5", -1500);
  check(".5", 500);
  check("1e3", 1_000_000);
  check("1e300", Number.MAX_SAFE_INTEGER);
  check("2026-01-02T03:04:05Z", Date.UTC(2026, 0, 2, 3, 4, 5));
  check("2026-01-02T03:04:05.678901Z", Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  check("2026-01-02T03:04:05.6+02:30", Date.UTC(2026, 0, 2, 0, 34, 5, 600));
  check("2024-02-29T00:00:00-01:00", Date.UTC(2024, 1, 29, 1));
  check("0001-01-01T00:00:00Z", -62_135_596_800_000);
  check("-292273086-05-16T16:47:06Z", Number.MIN_SAFE_INTEGER);
  check("292277025-08-18T07:12:54.999999999Z", Number.MAX_SAFE_INTEGER);
  for (const wrong of [
    "",
    "x",
    " 1",
    "1 ",
    "0x10",
    "NaN",
    "Inf",
    "1_000",
    "2026-01-02",
    "2026-01-02 03:04:05Z",
    "2026-01-02T03:04:05",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00+99:00",
  ]) {
    check(wrong, undefined);
  }
});

test("what a time prints is read back", () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), (timeMs) => {
      assert.equal(parseTimeMs(new Date(timeMs).toISOString()), timeMs);
      assert.equal(parseTimeMs((timeMs / 1000).toFixed(3)), timeMs);
    }),
  );
});

test("durations", () => {
  const check = (text: string, want: number): void => {
    assert.equal(optionalTimeoutMs(new URLSearchParams({ timeout: text })), want, text);
  };
  check("15", 15_000);
  check("0.1", 100);
  check("1.5e1", 15_000);
  check("5m", 300_000);
  check("1h30m", 5_400_000);
  check("1y2w3d4h5m6s7ms", 31_536_000_000 + 1_209_600_000 + 259_200_000 + 14_706_007);
  check("0", 0);
});

test("refusals in Prometheus' words", () => {
  const read = (query: string): URLSearchParams => new URLSearchParams(query);
  const check = (run: () => unknown, message: string): void => {
    assert.throws(run, { code: "bad-data", message });
  };
  const range = (query: string) => () => rangeOf(read(query));
  check(range(""), 'invalid parameter "start": cannot parse "" to a valid timestamp');
  check(range("start=x"), 'invalid parameter "start": cannot parse "x" to a valid timestamp');
  check(range("start=1"), 'invalid parameter "end": cannot parse "" to a valid timestamp');
  check(
    range("start=2&end=1&step=1"),
    'invalid parameter "end": end timestamp must not be before start time',
  );
  check(range("start=1&end=2"), 'invalid parameter "step": cannot parse "" to a valid duration');
  check(
    range("start=1&end=2&step=1x"),
    'invalid parameter "step": cannot parse "1x" to a valid duration',
  );
  check(
    range("start=1&end=2&step=1e300"),
    'invalid parameter "step": cannot parse "1e300" to a valid duration. It overflows int64',
  );
  const zero =
    'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer';
  check(range("start=1&end=2&step=0"), zero);
  check(range("start=1&end=2&step=-1"), zero);
  check(range("start=1&end=2&step=0.0001"), zero);
  const tooMany =
    "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
  check(range("start=0&end=11001&step=1"), tooMany);
  check(range("start=0&end=11&step=0.0001"), tooMany);
  assert.deepEqual(rangeOf(read("start=0&end=11000.9&step=1s")), {
    startMs: 0,
    endMs: 11_000_900,
    stepMs: 1000,
  });
  check(
    () => optionalTimeMs(read("time=x%22"), "time", 0),
    'invalid parameter "time": invalid time value for \'time\': cannot parse "x\\"" to a valid timestamp',
  );
  check(
    () => optionalTimeoutMs(read("timeout=1ns")),
    'invalid parameter "timeout": cannot parse "1ns" to a valid duration',
  );
  check(
    () => optionalLookbackMs(read("lookback_delta=x")),
    'error parsing lookback delta duration: cannot parse "x" to a valid duration',
  );
  check(
    () => limitOf(read("limit=x")),
    'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax',
  );
  check(() => limitOf(read("limit=-1")), 'invalid parameter "limit": limit must be non-negative');
  check(
    () => limitOf(read("limit=99999999999999999999")),
    'invalid parameter "limit": strconv.Atoi: parsing "99999999999999999999": value out of range',
  );
});

test("label names of a path", () => {
  const check = (segment: string, want: string | undefined): void =>
    assert.equal(labelNameOfPath(segment), want, segment);
  check("job", "job");
  check("a-b", "a-b");
  check("U__a_2d_b__c", "a-b_c");
  check("U__http_2e_status", "http.status");
  check("U___1F600_", "😀");
  check("U__bad_", "U__bad_");
  check("U___d800_", "U___d800_");
  check("", undefined);
  check("U__", undefined);
  check("\ud800", undefined);
});
