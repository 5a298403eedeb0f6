import assert from "node:assert/strict";
import { test } from "node:test";
import { replaceRows } from "../../bench/performance-page.ts";

const HEAD =
  "| id | what | Muninn | budget | Prometheus | VictoriaMetrics | measured |\n|---|---|---|---|---|---|---|";
const PAGE = `text\n<!-- results -->\n${HEAD}\n| \`old\` | kept | 1 | – | – | – | then |\n| \`cpu\` | stale | 9 | – | – | – | then |\n<!-- /results -->\nmore\n`;

test("new figures replace their rows, others stay, the text around is untouched", () => {
  const page = replaceRows(
    PAGE,
    [
      {
        id: "cpu",
        what: "CPU",
        unit: "s",
        budget: 0.5,
        values: new Map([
          ["Muninn", 0.25],
          ["Prometheus", 6.1],
        ]),
        othersPercent: 1.5,
      },
      {
        id: "new",
        what: "New",
        unit: "ms",
        values: new Map([["Muninn", 123.4]]),
        othersPercent: 0,
      },
    ],
    "today",
  );
  assert.equal(
    page,
    `text\n<!-- results -->\n${HEAD}\n| \`old\` | kept | 1 | – | – | – | then |\n` +
      "| `cpu` | CPU (s) | 0.25 | ≤ 0.5 | 6.10 | – | today, others 1.50 % |\n" +
      "| `new` | New (ms) | 123 | – | – | – | today, others 0.00 % |\n<!-- /results -->\nmore\n",
  );
});

test("a missed budget is marked as missed", () => {
  const values = new Map([["Muninn", 0.75]]);
  const page = replaceRows(
    PAGE,
    [{ id: "cpu", what: "CPU", unit: "s", budget: 0.5, values, othersPercent: 0 }],
    "today",
  );
  assert.match(page, /\| 0\.75 \*\*missed\*\* \| ≤ 0\.5 \|/);
});

test("a page without the marks is refused", () => {
  assert.throws(() => replaceRows("no marks", [], "today"), /has no <!-- results -->/);
});
