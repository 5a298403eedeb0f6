import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { firstSeries, labelSetsJson, success, withMember } from "../../src/querier/json.ts";

const parsed = (bytes: Uint8Array | undefined): unknown =>
  bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString());

test("cutting a list of series equals slicing the parsed list", () => {
  const series = fc.record({
    metric: fc.dictionary(
      fc.string(),
      fc.string({ unit: fc.constantFrom("a", "{", "}", "[", "]", ",", "\\", '"', "é", "😀") }),
    ),
    values: fc.array(fc.tuple(fc.integer(), fc.string())),
  });
  fc.assert(
    fc.property(fc.array(series), fc.integer({ min: 1, max: 6 }), (result, limit) => {
      const json = Buffer.from(JSON.stringify({ resultType: "matrix", result }));
      const want = result.length > limit ? result.slice(0, limit) : undefined;
      const got = parsed(firstSeries(json, limit)) as { result: unknown } | undefined;
      assert.deepEqual(
        got?.result,
        want === undefined ? undefined : JSON.parse(JSON.stringify(want)),
      );
    }),
  );
});

test("what is no list of series is not cut", () => {
  for (const json of [
    '{"resultType":"scalar","result":[1,"2"]}',
    '{"resultType":"string","result":[1,"\\"result\\":[{"]}',
    '{"resultType":"vector","result":[]}',
  ]) {
    assert.equal(firstSeries(Buffer.from(json), 1), undefined);
  }
});

test("the envelope keeps the bytes and leaves empty notes out", () => {
  const data = Buffer.from('{"a":1}');
  assert.equal(
    success(data, { warnings: [], infos: [] }).toString(),
    '{"status":"success","data":{"a":1}}',
  );
  assert.equal(
    success(withMember(data, "b", [2]), { warnings: ['w"'], infos: ["i"] }).toString(),
    '{"status":"success","data":{"a":1,"b":[2]},"warnings":["w\\""],"infos":["i"]}',
  );
});

test("label sets keep the order of their names, also of names like numbers", () => {
  const labels = [
    { name: "b", value: 'x"' },
    { name: "10", value: "" },
    { name: "2", value: "ü" },
  ];
  assert.equal(labelSetsJson([labels, []]), '[{"b":"x\\"","10":"","2":"ü"},{}]');
});
