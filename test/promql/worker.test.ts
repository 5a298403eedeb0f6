/** The worker entry: jobs and answers travel between threads, failures are values. */
import assert from "node:assert/strict";
import test from "node:test";
import runQuery, { type QueryJob } from "../../src/promql/worker.ts";
import { transferList } from "../../src/storage/encoded-series.ts";
import { cutChunks, seriesSet } from "../testkit/series-set.ts";
import { columnsOf } from "../testkit/xor.ts";

function job(query: string): QueryJob {
  const set = seriesSet([
    {
      labels: { __name__: "m_total", job: "a" },
      chunks: cutChunks(columnsOf(Array.from({ length: 41 }, (_, i) => [i * 15_000, i] as const))),
    },
  ]);
  return {
    query,
    startMs: 300_000,
    endMs: 360_000,
    stepMs: 60_000,
    lookbackMs: 300_000,
    subqueryStepMs: 60_000,
    delayedNameRemoval: false,
    durationExpressions: false,
    experimentalFunctions: [],
    limits: { samplesMax: 1000 },
    sets: [set],
  };
}

test("a job that was moved from another thread is answered in bytes that can be moved back", () => {
  const sent = job("rate(m_total[1m])");
  const received = structuredClone(sent, { transfer: sent.sets.flatMap(transferList) });
  assert.equal(sent.sets[0]?.data.length, 0, "moved, not copied");
  const answer = structuredClone(runQuery(received));
  assert.ok(answer.ok);
  assert.equal(
    Buffer.from(answer.json).toString("utf8"),
    '{"resultType":"matrix","result":[{"metric":{"job":"a"},"values":[[300,"0.06666666666666667"],[360,"0.06666666666666667"]]}]}',
  );
  assert.deepEqual(answer.warnings, []);
  assert.equal(answer.json.byteLength, answer.json.buffer.byteLength, "nothing else in the buffer");
});

test("annotations come along", () => {
  const answer = runQuery(job("histogram_quantile(7, m_total)"));
  assert.ok(answer.ok);
  assert.deepEqual(answer.warnings, [
    "PromQL warning: quantile value should be between 0 and 1, got 7 (1:20)",
    'PromQL warning: bucket label "le" is missing or has a malformed value of "" for metric name "m_total" (1:23)',
  ]);
});

test("failures are values", () => {
  const kind = (query: string) => {
    const answer = structuredClone(runQuery(job(query)));
    return answer.ok ? "ok" : `${answer.kind}: ${answer.message}`;
  };
  assert.equal(kind("m_total"), "ok");
  assert.equal(
    kind("m_total["),
    "bad-data: 1:9: parse error: unexpected end of input in duration expression",
  );
  assert.equal(
    kind("m_total[5m]"),
    'bad-data: invalid expression type "range vector" for range query, must be Scalar or instant Vector',
  );
  assert.equal(kind("histogram_sum(m_total)"), "not-implemented: not implemented: histogram_sum");
  assert.match(
    kind("sum_over_time(m_total[1y:1s])"),
    /^execution: query processing would load too many samples/,
  );
  const broken = job("m_total");
  const [set] = broken.sets;
  assert.ok(set !== undefined);
  const answer = runQuery({ ...broken, sets: [{ ...set, chunkEncodings: Uint8Array.of(77) }] });
  assert.deepEqual(answer, {
    ok: false,
    kind: "internal",
    message: "malformed chunk: its encoding is not supported",
  });
});
