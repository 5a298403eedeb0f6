import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type QuorumGroup, type QuorumVerdict, WriteQuorum } from "../../src/ring/quorum.ts";

type Said = "ok" | "client" | "server";

interface Answer {
  readonly groups: readonly number[];
  readonly said: Said;
}

const anyGroup = fc.integer({ min: 1, max: 4 }).chain((replicas) =>
  fc.record({
    replicas: fc.constant(replicas),
    minSuccess: fc.integer({ min: 1, max: replicas }),
  }),
);
const anySaid = fc.constantFrom<Said>("ok", "ok", "client", "server");

/** Groups and all the answers of their replicas, in some order; an answer is for one or several groups. */
const anyPush = fc.array(anyGroup, { minLength: 1, maxLength: 4 }).chain((groups) => {
  const replicasMax = Math.max(...groups.map(({ replicas }) => replicas));
  const answers = Array.from({ length: replicasMax }, (_, replica) =>
    anySaid.map((said): Answer => {
      const asked = groups.flatMap(({ replicas }, group) => (replica < replicas ? [group] : []));
      return { groups: asked, said };
    }),
  );
  return fc.record({ groups: fc.constant(groups), answers: fc.tuple(...answers) });
});

function take(quorum: WriteQuorum, { groups, said }: Answer, cause?: unknown): void {
  if (said === "ok") quorum.succeeded(groups);
  else quorum.failed(groups, said, cause);
}

type Outcome = QuorumVerdict["outcome"];

/** The rule for one group, told over everything that it has heard so far, in order: the first verdict stays. */
function naiveGroup({ replicas, minSuccess }: QuorumGroup, heard: readonly Said[]): Outcome {
  for (let length = 1; length <= heard.length; length++) {
    const said = heard.slice(0, length);
    const count = (what: Said): number => said.filter((one) => one === what).length;
    if (count("ok") >= minSuccess) return "stored";
    if (count("client") > replicas - minSuccess) return "refused";
    if (count("server") > replicas - minSuccess) return "failed";
    if (length === replicas) return "failed";
  }
  return "pending";
}

function naivePush(groups: readonly QuorumGroup[], answers: readonly Answer[]): Outcome {
  const outcomes = groups.map((group, index) => {
    const mine = answers.filter((answer) => answer.groups.includes(index));
    return naiveGroup(
      group,
      mine.map(({ said }) => said),
    );
  });
  for (const outcome of ["failed", "pending", "refused"] as const) {
    if (outcomes.includes(outcome)) return outcome;
  }
  return "stored";
}

test("the verdict after each answer is that of the plain rule, and the last one is one", () => {
  fc.assert(
    fc.property(anyPush, ({ groups, answers }) => {
      const quorum = new WriteQuorum(groups);
      assert.equal(quorum.verdict.outcome, "pending");
      for (const [index, answer] of answers.entries()) {
        take(quorum, answer);
        assert.equal(quorum.verdict.outcome, naivePush(groups, answers.slice(0, index + 1)));
      }
      assert.notEqual(quorum.verdict.outcome, "pending");
    }),
    { numRuns: 2000 },
  );
});

test("stored means that enough replicas of each group said so", () => {
  fc.assert(
    fc.property(anyPush, ({ groups, answers }) => {
      const quorum = new WriteQuorum(groups);
      const stored = groups.map(() => 0);
      for (const answer of answers) {
        take(quorum, answer);
        for (const group of answer.said === "ok" ? answer.groups : []) {
          stored[group] = (stored[group] ?? 0) + 1;
        }
        const isEnough = groups.every(
          ({ minSuccess }, group) => (stored[group] ?? 0) >= minSuccess,
        );
        // And it is said as soon as it is so, if nothing was decided before.
        if (quorum.verdict.outcome === "stored") assert.ok(isEnough);
        if (isEnough) assert.notEqual(quorum.verdict.outcome, "pending");
      }
    }),
    { numRuns: 2000 },
  );
});

test("a verdict that is one stays", () => {
  fc.assert(
    fc.property(anyPush, ({ groups, answers }) => {
      const quorum = new WriteQuorum(groups);
      let verdict: QuorumVerdict = quorum.verdict;
      for (const answer of answers) {
        take(quorum, answer);
        if (verdict.outcome === "stored" || verdict.outcome === "failed") {
          assert.deepEqual(quorum.verdict, verdict);
        }
        verdict = quorum.verdict;
      }
    }),
  );
});

const THREE = { replicas: 3, minSuccess: 2 };

/** Every order in which three replicas may answer, and what the client hears in the end. */
const CASES: readonly [readonly Said[], Outcome][] = [
  [["ok", "ok", "server"], "stored"],
  [["ok", "ok", "client"], "stored"],
  [["ok", "client", "client"], "refused"],
  [["server", "client", "client"], "refused"],
  [["client", "client", "client"], "refused"],
  [["ok", "server", "client"], "failed"],
  [["ok", "server", "server"], "failed"],
  [["client", "server", "server"], "failed"],
];
for (const [answers, outcome] of CASES) {
  test(`${answers.join(", ")} of three, in any order: ${outcome}`, () => {
    for (const order of permutations(answers)) {
      const quorum = new WriteQuorum([THREE]);
      for (const said of order) take(quorum, { groups: [0], said });
      assert.equal(quorum.verdict.outcome, outcome);
    }
  });
}

function permutations<Item>(items: readonly Item[]): Item[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [first, ...rest]),
  );
}

test("a refused group waits for the others: one that fails makes it a failure, to be sent again", () => {
  const quorum = new WriteQuorum([THREE, THREE]);
  quorum.failed([0], "client", "too old");
  quorum.failed([0], "client", "too old, too");
  assert.equal(quorum.verdict.outcome, "pending");
  quorum.failed([1], "server", "no disk");
  quorum.failed([1], "server", "no network");
  assert.deepEqual(quorum.verdict, { outcome: "failed", cause: "no network", group: 1 });
});

test("a refusal says why, and of which rows, when the other groups are stored", () => {
  const quorum = new WriteQuorum([THREE, THREE]);
  quorum.failed([1], "client", "first");
  quorum.failed([1], "client", "second");
  quorum.succeeded([0]);
  assert.equal(quorum.verdict.outcome, "pending");
  quorum.succeeded([0, 1]);
  assert.deepEqual(quorum.verdict, { outcome: "refused", cause: "second", group: 1 });
});

test("of a failure that is both, the server's part is the cause", () => {
  const quorum = new WriteQuorum([THREE]);
  quorum.failed([0], "server", "no disk");
  quorum.succeeded([0]);
  quorum.failed([0], "client", "too old");
  assert.deepEqual(quorum.verdict, { outcome: "failed", cause: "no disk", group: 0 });
});

test("nothing to store is stored", () => {
  assert.equal(new WriteQuorum([]).verdict.outcome, "stored");
});

test("an answer too many, or a group that cannot be stored at all, is a bug", () => {
  const quorum = new WriteQuorum([{ replicas: 1, minSuccess: 1 }]);
  quorum.succeeded([0]);
  assert.throws(() => quorum.succeeded([0]), /answers once/);
  assert.throws(() => new WriteQuorum([{ replicas: 1, minSuccess: 2 }]), /too few replicas/);
});
