import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrderOfNeed, moduleOf } from "../../src/app/module.ts";
import { modules, TARGETS } from "../../src/app/modules.ts";

interface Parts {
  readonly disk: string;
  readonly server: string;
  readonly log: string;
}

const module = moduleOf<Parts>();
const disk = module("disk", [], () => ({ part: "d" }));
const log = module("log", ["disk"], (_context, needs) => ({ part: needs.disk }));
const server = module("server", [], () => ({ part: "s" }));

const names = (list: readonly { name: string }[]): string[] => list.map(({ name }) => name);

test("what is wanted comes with all it needs, and nothing else", () => {
  assert.deepEqual(names(inOrderOfNeed([disk, server, log], ["log"])), ["disk", "log"]);
  assert.deepEqual(names(inOrderOfNeed([disk, server, log], ["server"])), ["server"]);
});

test("a list in which a module stands before its need is a bug", () => {
  assert.throws(() => inOrderOfNeed([log, disk], ["log"]), /module log stands before disk/);
});

test("a part that is used if it is there is no need, and is built before its user where it is", () => {
  const user = module("server", ["disk", "log?"], (_context, { disk: path, log: name }) => ({
    part: `${path} ${name ?? "no log"}`,
  }));
  assert.deepEqual(names(inOrderOfNeed([disk, log, user], ["server"])), ["disk", "server"]);
  assert.deepEqual(names(inOrderOfNeed([disk, log, user], ["server", "log"])), [
    "disk",
    "log",
    "server",
  ]);
  assert.throws(() => inOrderOfNeed([disk, user, log], ["server"]), /server stands before log/);
});

test("-target=all is every module, with traffic last", () => {
  const all = names(inOrderOfNeed(modules, TARGETS.all));
  assert.deepEqual(all.toSorted(), names(modules).toSorted());
  assert.equal(all.at(-1), "traffic");
});
