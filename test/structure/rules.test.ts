/** Every rule is shown one planted fault at least (it must be found) and one thing that only looks like it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { catalogueFaults, errorCodes, listedNames, metricNames } from "./catalogues.ts";
import { determinismFaults } from "./determinism.ts";
import { FILE_LINES_MAX, lengthFaults, linkFaults, noteFaults } from "./housekeeping.ts";
import { layerFaults } from "./layers.ts";
import { codeOnly, importsOf, withoutComments } from "./source-text.ts";

function check(faults: readonly string[], want: RegExp | "none"): void {
  if (want === "none") assert.deepEqual(faults, []);
  else {
    assert.equal(faults.length, 1, `one fault expected, found: ${faults.join("; ")}`);
    assert.match(faults[0] ?? "", want);
  }
}

test("source text: comments, strings and regular expressions are told apart", () => {
  assert.equal(withoutComments('a // "x"\nb'), "a       \nb");
  assert.equal(withoutComments('"// no" /* yes\n */ c'), '"// no"       \n    c');
  assert.equal(codeOnly("f(\"Date.now\", 'a\\'b')"), "f(\"        \", '    ')");
  assert.equal(codeOnly('x = /["/]/g; // c'), 'x = /["/]/g;     ');
  assert.equal(codeOnly("x = a / b; y = `${c}`"), "x = a / b; y = `${c}`");
});

test("source text: every kind of import is seen, with its line", () => {
  const text = [
    'import { a } from "./a.ts";',
    'import type { B } from "./b.ts";',
    'import "./c.ts";',
    'export { d } from "./d.ts";',
    'const e = await import("./e.ts");',
    'new Worker(new URL("./f.ts", import.meta.url));',
    '// import "./no.ts";',
  ].join("\n");
  const found = importsOf({ path: "src/base/x.ts", text }).sort((x, y) => x.line - y.line);
  assert.deepEqual(
    found.map(({ line, text: specifier }) => `${line} ${specifier}`),
    ["1 ./a.ts", "2 ./b.ts", "3 ./c.ts", "4 ./d.ts", "5 ./e.ts", "6 ./f.ts"],
  );
});

test("layers: down is fine, up, sideways, out and unknown are not", () => {
  const of = (path: string, specifier: string): string[] =>
    layerFaults([{ path, text: `import { x } from "${specifier}";` }]);
  check(of("src/tsdb/head.ts", "../model/labels.ts"), "none");
  check(of("src/tsdb/head.ts", "./wal.ts"), "none");
  check(of("src/tsdb/deep/head.ts", "../wal.ts"), "none");
  check(of("src/tsdb/head.ts", "node:buffer"), "none");
  check(of("src/model/labels.ts", "../tsdb/head.ts"), /labels\.ts:1: .*upward import.*src\/app/);
  check(of("src/promql/engine.ts", "../tsdb/head.ts"), /siblings \(rank 3\).*lower folder/);
  check(of("src/base/x.ts", "../../test/testkit/fake.ts"), /imports nothing from test\//);
  check(of("src/helpers/x.ts", "./y.ts"), /src\/helpers has no rank/);
  check(of("e2e/kill.e2e.ts", "../src/model/labels.ts"), /speak HTTP/);
  check(of("e2e/kill.e2e.ts", "./harness/muninn.ts"), "none");
});

test("determinism: every way to the machine is found outside src/sys", () => {
  const of = (text: string, path = "src/tsdb/head.ts"): string[] =>
    determinismFaults([{ path, text }]);
  check(of("const t = Date.now();"), /head\.ts:1: Date\.now outside src\/sys: .*clock\.nowMs/);
  check(of("const t = new Date();"), /new Date\(clock\.nowMs/);
  check(of("const t = new Date(clock.nowMs());"), "none");
  check(of("const t = Date();"), /Date\(\)/);
  check(of("performance.now()"), /monotonicMs/);
  check(of("setTimeout(run, 5)"), /clock\.after/);
  check(of("setInterval(run, 5)"), /clock\.after/);
  check(of("socket.setTimeout(5)"), "none");
  check(of("Math.random()"), /Random/);
  check(of("randomUUID()"), /Random/);
  check(of("await fetch(url)"), /src\/sys/);
  check(of("await this.#fetch(url)"), "none");
  check(of("process.env.HOME"), /src\/cli/);
  check(of("process.env.HOME", "src/cli/main.ts"), "none");
  check(of("Date.now()", "src/cli/main.ts"), /Clock/);
  check(of("Date.now()", "src/sys/system-clock.ts"), "none");
  check(of("// Date.now() would be wrong here"), "none");
  check(of('throw new Error("no Math.random here")'), "none");
  check(of("const s = `${Date.now()}`;"), /Date\.now/);
});

test("determinism: modules that reach the machine are found, and the exceptions are exact", () => {
  const of = (module: string, path: string): string[] =>
    determinismFaults([{ path, text: `import x from "${module}";` }]);
  check(of("node:fs", "src/tsdb/wal.ts"), /FileSystem/);
  check(of("node:fs/promises", "src/tsdb/wal.ts"), /FileSystem/);
  check(of("node:fs", "src/kernel/host/module.ts"), "none");
  check(of("node:fs", "src/kernel/host/snappy.ts"), /FileSystem/);
  check(of("node:net", "src/http/server.ts"), /src\/sys/);
  check(of("node:dgram", "src/gossip/driver.ts"), /src\/sys/);
  check(of("node:http", "src/http/server.ts"), "none");
  check(of("node:http", "src/rpc/client.ts"), /src\/http/);
  check(of("node:timers/promises", "src/ring/x.ts"), /Clock/);
  check(of("node:os", "src/promql/pool.ts"), /src\/sys/);
  check(of("node:zlib", "src/http/server.ts"), "none");
  check(of("node:fs", "src/sys/node-file-system.ts"), "none");
  check(of("node:fs", "test/x.test.ts"), "none");
});

test("length: long files need a reason, and the list of reasons does not rot", () => {
  const long = { path: "src/a/b.ts", text: "x\n".repeat(FILE_LINES_MAX + 1) };
  const short = { path: "src/a/b.ts", text: "x\n".repeat(FILE_LINES_MAX) };
  check(lengthFaults([long], {}), /501 lines: look for its second subject/);
  check(lengthFaults([long], { "src/a/b.ts": "a table" }), "none");
  check(lengthFaults([short], {}), "none");
  check(lengthFaults([short], { "src/a/b.ts": "a table" }), /take it off/);
  check(lengthFaults([], { "src/gone.ts": "a table" }), /take it off/);
});

test("notes: only with an issue number", () => {
  const of = (text: string): string[] => noteFaults([{ path: "src/a/b.ts", text }]);
  check(of(`// TO${"DO"}: later`), /b\.ts:1: .*issue number/);
  check(of(`// TO${"DO"}(#12): later`), "none");
  check(of(`\n// FIX${"ME"} soon`), /b\.ts:2/);
  check(of("// todos and hacks in prose"), "none");
});

test("links: relative ones lead to a file", () => {
  const exists = (path: string): boolean => path === "docs/a.md";
  const of = (text: string): string[] => linkFaults([{ path: "docs/x.md", text }], exists);
  check(of("see [a](a.md) and [b](a.md#part)"), "none");
  check(of("[a](../docs/a.md), [web](https://a.b/c.md), [here](#part)"), "none");
  check(of("\n[b](b.md)"), /x\.md:2: the link to b\.md leads nowhere/);
});

test("errors: literal codes are collected, others are faults", () => {
  const of = (text: string): ReturnType<typeof errorCodes> =>
    errorCodes([{ path: "src/a/b.ts", text }], {});
  assert.deepEqual(of('throw new OpError("disk-full", "m");').codes, ["disk-full"]);
  assert.deepEqual(of('throw new OpError(\n  "disk-full",\n  "m");').codes, ["disk-full"]);
  assert.deepEqual(of('class E extends OpError<"a" | "b"> {}').codes, ["a", "b"]);
  assert.deepEqual(of('// new OpError("no")').codes, []);
  check(of("throw new OpError(code, message);").faults, /not a literal/);
  const passedOn = [{ path: "src/a/b.ts", text: "throw new OpError(code, message);" }];
  check(errorCodes(passedOn, { "src/a/b.ts": "hands on what it was given" }).faults, "none");
  check(errorCodes([], { "src/a/b.ts": "gone" }).faults, /take it off/);
});

test("metrics: names are collected from metrics.ts, and made nowhere else", () => {
  const text = 'new Counter({ name: "cortex_x_total", help: "h" })';
  assert.deepEqual(metricNames([{ path: "src/a/metrics.ts", text }]), {
    names: ["cortex_x_total"],
    faults: [],
  });
  check(metricNames([{ path: "src/a/b.ts", text }]).faults, /metrics\.ts of its folder/);
});

test("catalogues: missing, stale and double rows are found", () => {
  const page = "| code | meaning |\n| --- | --- |\n| `a` | `b` is elsewhere |\n| `c` | x |\n";
  assert.deepEqual(listedNames(page), ["a", "c"]);
  const of = (inSource: string[], inPage: string[]): string[] =>
    catalogueFaults({ inSource, inPage, page: "docs/x.md" });
  check(of(["a"], ["a"]), "none");
  check(of(["a", "b"], ["a"]), /`b` is in the source.*add a row/);
  check(of(["a"], ["a", "b"]), /`b` is not in the source/);
  check(of(["a"], ["a", "a"]), /two rows/);
});
