import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HA_PAIR_REFUSED } from "../../src/kernel/host/ha-pairs.ts";
import type { IntakeKernel, IntakeLimits, IntakeRows } from "../../src/kernel/host/intake.ts";
import {
  decodeCanonicalLabels,
  encodeWriteRequest,
  type TimeSeries,
} from "../../src/wire/remote-write.ts";
import { murmur3Bytes } from "../testkit/murmur3.ts";
import { compress, type LabelPairs, wireSeries, writeBody } from "../testkit/remote-write.ts";
import { LIMITS, NOW, newKernel, rowsOf } from "./intake-fixture.ts";

const HA_LIMITS: IntakeLimits = {
  ...LIMITS,
  ha: { clusterLabel: "cluster", replicaLabel: "__replica__", pairsMax: 100 },
};

function series(labels: Readonly<Record<string, string>>, value = 1): TimeSeries {
  return wireSeries(Object.entries({ __name__: "m", ...labels }), [[NOW, value]]);
}

function ofPair(cluster: string, replica: string, more: Record<string, string> = {}): TimeSeries {
  return series({ cluster, __replica__: replica, ...more });
}

/** "cluster/replica" of each row, "" for a row of no pair, "refused". */
function pairsOf(rows: IntakeRows): string[] {
  const { numbers, pairs } = rows.ha ?? assert.fail("HA is off");
  return [...numbers].map((number) => {
    if (number === 0) return "";
    if (number === HA_PAIR_REFUSED) return "refused";
    const { cluster, replica } = pairs[number - 1] ?? assert.fail("unknown number");
    return `${cluster}/${replica}`;
  });
}

function idsOf(rows: IntakeRows): string[] {
  return Array.from({ length: rows.seriesCount }, (_, row) =>
    Buffer.from(rows.ids.subarray(16 * row, 16 * row + 16)).toString("hex"),
  );
}

function labelsOf(rows: IntakeRows, row: number): Record<string, string> {
  const { bytes, offsets } = rows.labels ?? assert.fail("no labels");
  const labels = decodeCanonicalLabels(bytes.subarray(offsets[row], offsets[row + 1]));
  return Object.fromEntries(labels.map(({ name, value }) => [name, value]));
}

const text = fc.string({ unit: "grapheme", minLength: 0, maxLength: 12 });
const few = fc.oneof(fc.constantFrom("a", "b", "\ufeffa", ""), text);
const labelled = fc
  .record(
    {
      cluster: few,
      __replica__: few,
      a: few,
      __replicA__: few,
      zz: few,
    },
    { requiredKeys: [] },
  )
  .chain((labels) => {
    const pairs = Object.entries({ __name__: "m", ...labels });
    return fc.shuffledSubarray(pairs, { minLength: pairs.length });
  });

test("a series with both labels loses the replica label and names its pair; any other stays as it is", () => {
  const kernel = newKernel();
  const plain = newKernel();
  fc.assert(
    fc.property(fc.array(labelled, { maxLength: 8 }), (all) => {
      const twins = all.map((labels) => {
        const given = new Map(labels.filter(([, value]) => value !== ""));
        const [cluster, replica] = [given.get("cluster"), given.get("__replica__")];
        const isPaired = cluster !== undefined && replica !== undefined;
        if (isPaired) given.delete("__replica__");
        return { pair: isPaired ? `${cluster}/${replica}` : "", stored: [...given] };
      });
      const body = writeBody(...all.map((labels) => wireSeries(labels, [[NOW, 1]])));
      const stripped = writeBody(...twins.map(({ stored }) => wireSeries(stored, [[NOW, 1]])));
      const want = rowsOf(plain.decode("t", stripped, LIMITS));
      assert.equal(want.ha, undefined);
      for (const _round of ["new", "known"]) {
        const rows = rowsOf(kernel.decode("t", body, HA_LIMITS));
        assert.deepEqual(
          pairsOf(rows),
          twins.map(({ pair }) => pair),
        );
        assert.deepEqual(idsOf(rows), idsOf(want));
        assert.deepEqual([...rows.tokens], [...want.tokens]);
      }
      const wanted = Uint32Array.from(twins.keys());
      const again = rowsOf(kernel.decodeWithLabels("t", body, HA_LIMITS, wanted));
      twins.forEach(({ stored }, row) => {
        assert.deepEqual(labelsOf(again, row), Object.fromEntries(stored));
      });
      assert.ok(kernel.guardsIntact);
      kernel.forgetSeries();
    }),
    { numRuns: 300 },
  );
});

test("both replicas in one body are two rows of one series", () => {
  const kernel = newKernel();
  const body = writeBody(ofPair("c", "a"), ofPair("c", "b"), ofPair("c", "a"));
  for (const unknown of [2, 0]) {
    const rows = rowsOf(kernel.decode("t", body, HA_LIMITS));
    assert.deepEqual(pairsOf(rows), ["c/a", "c/b", "c/a"]);
    assert.equal(new Set(idsOf(rows)).size, 1);
    assert.deepEqual(rows.rejections, []);
    assert.equal(rows.counts.unknownToTable, unknown);
  }
  const labels = rowsOf(kernel.decodeWithLabels("t", body, HA_LIMITS, Uint32Array.of(1)));
  assert.deepEqual(labelsOf(labels, 0), { __name__: "m", cluster: "c" });
});

test("rules apply to the series as it is stored", () => {
  const codes = (labels: LabelPairs, limits: Partial<IntakeLimits> = {}): string[] => {
    const body = writeBody(wireSeries(labels, [[NOW, 1]]));
    const rows = rowsOf(newKernel().decode("t", body, { ...HA_LIMITS, ...limits }));
    return rows.problems.map(({ code, labelName }) => `${code} ${labelName}`);
  };
  const metric = ["__name__", "m"] as const;
  const cluster = ["cluster", "c"] as const;
  const replica = ["__replica__", "r"] as const;
  assert.deepEqual(codes([metric, cluster, replica], { labelsMax: 2 }), []);
  assert.deepEqual(codes([metric, cluster, replica, replica]), [
    "duplicate-label-names __replica__",
  ]);
  assert.deepEqual(codes([metric, cluster, cluster, replica]), ["duplicate-label-names cluster"]);
  assert.deepEqual(codes([metric, cluster, ["__replica__", Uint8Array.of(255)]]), [
    "label-value-invalid __replica__",
  ]);
  assert.deepEqual(codes([metric, ["cluster", Uint8Array.of(255)], replica]), [
    "label-value-invalid cluster",
  ]);
  assert.deepEqual(codes([cluster, replica]), ["missing-metric-name "]);
  const long = "x".repeat(257);
  assert.deepEqual(codes([metric, cluster, ["__replica__", long]]), [
    "ha-label-value-too-long __replica__",
  ]);
  assert.deepEqual(codes([metric, ["cluster", long], replica]), [
    "ha-label-value-too-long cluster",
  ]);
  assert.deepEqual(codes([metric, ["cluster", long]]), []);
  const exact = "x".repeat(256);
  assert.deepEqual(codes([metric, ["cluster", exact], ["__replica__", exact]]), []);
});

test("a pair beyond what the tenant may have is refused, and its rows stay rows", () => {
  const kernel = newKernel();
  const limits = {
    ...LIMITS,
    ha: { clusterLabel: "cluster", replicaLabel: "__replica__", pairsMax: 2 },
  };
  const body = writeBody(
    ofPair("c", "1"),
    ofPair("c", "2"),
    ofPair("c", "3"),
    series({ cluster: "c" }),
    ofPair("c", "1"),
  );
  const want = ["c/1", "c/2", "refused", "", "c/1"];
  for (const unknown of [4, 1]) {
    const rows = rowsOf(kernel.decode("t", body, limits));
    assert.deepEqual(pairsOf(rows), want);
    assert.equal(rows.counts.unknownToTable, unknown);
  }
  // Another tenant has its own.
  assert.deepEqual(pairsOf(rowsOf(kernel.decode("u", body, limits))), want);
  // Who begins anew has room again.
  kernel.forgetTenant("t");
  const other = writeBody(ofPair("c", "3"));
  assert.deepEqual(pairsOf(rowsOf(kernel.decode("t", other, limits))), ["c/3"]);
  const rows = rowsOf(kernel.decode("t", body, limits));
  assert.deepEqual(pairsOf(rows), ["c/1", "refused", "c/3", "", "c/1"]);
  assert.deepEqual(pairsOf(rowsOf(kernel.decode("u", body, limits))), want);
});

test("other labels, or none, apply once the table is emptied", () => {
  const kernel = newKernel();
  const body = writeBody(series({ cluster: "c", __replica__: "r", pod: "p" }));
  const off = rowsOf(kernel.decode("t", body, LIMITS));
  const [raw] = idsOf(off);
  kernel.forgetSeries();
  const on = rowsOf(kernel.decode("t", body, HA_LIMITS));
  assert.notEqual(idsOf(on)[0], raw);
  kernel.forgetSeries();
  const ha = { clusterLabel: "pod", replicaLabel: "cluster", pairsMax: 10 };
  const rows = rowsOf(kernel.decode("t", body, { ...LIMITS, ha }));
  assert.deepEqual(pairsOf(rows), ["p/c"]);
  assert.deepEqual(labelsOf(rows, 0), { __name__: "m", __replica__: "r", pod: "p" });
});

test("a second pass by the limits of the first gives ids that are those of its labels, whatever the table holds by then", () => {
  const kernel = newKernel();
  const body = writeBody(ofPair("c", "r"));
  const idOfLabels = (rows: IntakeRows): string => {
    const { bytes, offsets } = rows.labels ?? assert.fail("no labels");
    return Buffer.from(murmur3Bytes(bytes.subarray(offsets[0], offsets[1]))).toString("hex");
  };
  kernel.decode("t", body, HA_LIMITS);
  const second = rowsOf(kernel.decodeWithLabels("t", body, LIMITS, Uint32Array.of(0)));
  assert.deepEqual(labelsOf(second, 0), { __name__: "m", cluster: "c", __replica__: "r" });
  assert.equal(idsOf(second)[0], idOfLabels(second));
  // Nor does it teach the table anything.
  kernel.forgetSeries();
  kernel.decodeWithLabels("t", body, LIMITS, Uint32Array.of(0));
  assert.deepEqual(pairsOf(rowsOf(kernel.decode("t", body, HA_LIMITS))), ["c/r"]);
});

test("pairs of a body that turns out to be malformed are known", () => {
  const kernel = newKernel();
  const request = encodeWriteRequest({ timeseries: [ofPair("c", "1"), ofPair("c", "2")] });
  const malformed = compress(Buffer.concat([request, Buffer.of(0x0a)]));
  assert.equal(kernel.decode("t", malformed, HA_LIMITS).kind, "malformed");
  const body = writeBody(ofPair("c", "2"), ofPair("c", "3"));
  assert.deepEqual(pairsOf(rowsOf(kernel.decode("t", body, HA_LIMITS))), ["c/2", "c/3"]);
});

test("many pairs of many tenants keep their numbers while the table grows and tenants go", () => {
  const kernel: IntakeKernel = newKernel();
  const limits = {
    ...LIMITS,
    ha: { clusterLabel: "cluster", replicaLabel: "__replica__", pairsMax: 1000 },
  };
  const names = Array.from({ length: 300 }, (_, index) => [`c${index % 40}`, `r${index}`] as const);
  const body = writeBody(...names.map(([cluster, replica]) => ofPair(cluster, replica)));
  const want = names.map(([cluster, replica]) => `${cluster}/${replica}`);
  const tenants = ["a", "b", "c", "d", "e"];
  for (const tenant of tenants) {
    assert.deepEqual(pairsOf(rowsOf(kernel.decode(tenant, body, limits))), want);
  }
  kernel.forgetTenant("c");
  for (const tenant of tenants) {
    const rows = rowsOf(kernel.decode(tenant, body, limits));
    assert.equal(rows.counts.unknownToTable, tenant === "c" ? 300 : 0);
    assert.deepEqual(pairsOf(rows), want);
    assert.equal(rows.ha?.pairs.length, 300);
  }
});
