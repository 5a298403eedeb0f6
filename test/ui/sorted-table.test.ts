import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Column, sortedTable } from "../../src/ui/sorted-table.ts";

interface Row {
  readonly name: string;
  readonly size: number;
}

const COLUMNS: readonly Column<Row>[] = [
  { key: "name", title: "Name", sortBy: ({ name }) => name, cell: ({ name }) => name },
  {
    key: "size",
    title: "Size",
    isNumber: true,
    sortBy: ({ size }) => size,
    cell: ({ size }) => `${size}`,
  },
  { key: "action", title: "", cell: () => "do" },
];

function table(rows: readonly Row[], query: string): string {
  const parameters = new URLSearchParams(query);
  return sortedTable(rows, { columns: COLUMNS, rowKey: ({ name }) => name, parameters }).text;
}

function names(text: string): string[] {
  return [...text.matchAll(/<tr data-key="([^"]*)"/g)].map(([, name]) => name ?? "");
}

const anyRows = fc.uniqueArray(
  fc.record({ name: fc.stringMatching(/^[a-c]{1,3}$/), size: fc.integer({ min: 0, max: 5 }) }),
  { selector: ({ name }) => name },
);

test("numbers order by value, equals stay as they were, and down is up reversed", () => {
  fc.assert(
    fc.property(anyRows, (rows) => {
      const up = rows.toSorted((left, right) => left.size - right.size).map(({ name }) => name);
      const down = rows.toSorted((left, right) => right.size - left.size).map(({ name }) => name);
      assert.deepEqual(names(table(rows, "sort=size")), up);
      assert.deepEqual(names(table(rows, "sort=-size")), down);
    }),
  );
});

test("text orders as people count", () => {
  const rows = ["i-10", "i-9", "i-1"].map((name) => ({ name, size: 0 }));
  assert.deepEqual(names(table(rows, "sort=name")), ["i-1", "i-9", "i-10"]);
  assert.deepEqual(names(table(rows, "")), ["i-10", "i-9", "i-1"]);
  assert.deepEqual(names(table(rows, "sort=action")), ["i-10", "i-9", "i-1"]);
});

test("a heading leads to its order, then to the reverse; what is not to be ordered has no link", () => {
  const heads = (query: string): string[] =>
    [...table([], query).matchAll(/<th[\s\S]*?<\/th>/g)].map(([head]) => head);
  assert.match(heads("")[0] ?? "", /aria-sort="none"><a href="\?sort=name"/);
  assert.match(heads("")[1] ?? "", /aria-sort="none"><a href="\?sort=-size"/);
  assert.equal(heads("")[2], "<th></th>");
  assert.match(heads("sort=name")[0] ?? "", /aria-sort="ascending"><a href="\?sort=-name"/);
  assert.match(
    heads("x=1&sort=-size")[1] ?? "",
    /aria-sort="descending"><a href="\?x=1&amp;sort=size"/,
  );
});
