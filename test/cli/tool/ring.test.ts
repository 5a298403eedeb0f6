/** `muninn tool ring` against members with real rings, in virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError } from "../../../src/cli/command.ts";
import { tool } from "../../../src/cli/tool/tool.ts";
import type { Instance } from "../../../src/ring/instance.ts";
import { grow, NOW_MS } from "../../ring/fixture.ts";
import { type ClusterSettings, SimulatedMembers } from "./simulated-members.ts";

const HOUR = 3_600_000;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the words, letting virtual time pass until they are done. */
async function run(
  members: SimulatedMembers,
  words: string,
  env: Readonly<Record<string, string>> = { MUNINN_URL: "http://a" },
): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const { clock } = members;
  let isDone = false;
  const code = tool(words.split(" "), {
    clock,
    http: members,
    env,
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  }).finally(() => {
    isDone = true;
  });
  code.catch(() => undefined);
  for (let i = 0; i < 1000 && !isDone; i++) await clock.advance(100);
  return { code: await code, out: out.join("\n"), err: err.join("\n") };
}

/** Five ingesters; the named ones have been silent for an hour. */
function cluster(silent: readonly string[], settings: Partial<ClusterSettings> = {}) {
  const instances = grow({ count: 5 }).map((one) =>
    silent.includes(one.id) ? { ...one, heartbeatMs: NOW_MS - HOUR } : one,
  );
  return new SimulatedMembers({ instances, ...settings });
}

test("list has a row for each instance", async () => {
  const { code, out } = await run(cluster(["i-003"]), "ring list");
  assert.equal(code, 0);
  const lines = out.split("\n");
  assert.equal(lines.length, 6);
  assert.match(lines[0] ?? "", /^INSTANCE +STATE +ZONE +ADDRESS +HEARTBEAT +TOKENS +OWNED +HELD$/);
  assert.match(
    lines[1] ?? "",
    /^i-000 +ACTIVE +i-000\.example:9095 +\ds ago +512 +\d+(\.\d+)?% +\d+(\.\d+)?%$/,
  );
  assert.match(lines[4] ?? "", /^i-003 +UNHEALTHY +i-003\.example:9095 +60m ago/);
});

test("list --json is for programs", async () => {
  const { out } = await run(cluster(["i-003"]), "ring list --json");
  const rows = JSON.parse(out) as { id: string; alive: boolean; token_count: number }[];
  assert.deepEqual(
    rows.map(({ id, alive }) => [id, alive]),
    [
      ["i-000", true],
      ["i-001", true],
      ["i-002", true],
      ["i-003", false],
      ["i-004", true],
    ],
  );
  assert.equal(rows[0]?.token_count, 512);
});

test("status says states and quorum", async () => {
  const well = await run(cluster([]), "ring status");
  assert.match(well.out, /instances: 5 \(5 ACTIVE\)/);
  assert.match(well.out, /writes: all keys can be written to enough instances/);
  const ill = await run(cluster(["i-001", "i-003"]), "ring status");
  assert.match(ill.out, /3 ACTIVE, 2 UNHEALTHY/);
  assert.match(ill.out, /unhealthy: i-001, i-003/);
  assert.match(
    ill.out,
    /reads: [\d.]+% of the keys \(\d+ ranges\) are below quorum; missing: i-00[13], i-00[13]/,
  );
});

test("evict takes a dead instance out and waits until all members know", async () => {
  const members = cluster(["i-003"], { hosts: ["a", "b"], gossipMs: 3000 });
  const words =
    "ring evict --url=http://a --url=http://b --ring-name=ingester --instance-id=i-003 --address=i-003.example:9095";
  const { code, out } = await run(members, words);
  assert.equal(code, 0, out);
  assert.match(out, /^i-003: UNHEALTHY at i-003\.example:9095, last heartbeat 60m ago, 512 tokens/);
  assert.match(out, /without it, writes: all keys/);
  assert.match(out, /i-003 is out of the ring, as http:\/\/a, http:\/\/b see it/);
  assert.ok(!members.knows("a", "i-003") && !members.knows("b", "i-003"));
  assert.ok(members.clock.nowMs() - NOW_MS >= 3000, "it waited for b");
});

test("evict says which members do not know after the timeout", async () => {
  const members = cluster(["i-003"], { hosts: ["a", "b", "c"], gossipMs: HOUR });
  members.down.add("c");
  const words =
    "ring evict --url=http://a --url=http://b --url=http://c --instance-id=i-003 --timeout=5s";
  const { code, out } = await run(members, words);
  assert.equal(code, 1);
  assert.match(out, /forgotten, but not everywhere after 5s:/);
  assert.match(out, /http:\/\/b: still shows it \(UNHEALTHY/);
  assert.match(out, /http:\/\/c: .*ECONNREFUSED/);
});

test("evict refuses a live instance unless forced, and says that it comes back", async () => {
  const members = cluster([]);
  const refused = await run(members, "ring evict --instance-id=i-002");
  assert.equal(refused.code, 1);
  assert.match(refused.out, /refused: i-002 is alive \(ACTIVE, last heartbeat \ds ago\)/);
  assert.ok(members.knows("a", "i-002"));
  assert.ok(
    members.requests.every(({ method }) => method === "GET"),
    "nothing was asked for",
  );
  const forced = await run(members, "ring evict --instance-id=i-002 --force");
  assert.equal(forced.code, 0, forced.out);
  assert.match(forced.out, /forced: i-002 is alive/);
  assert.match(forced.out, /registers again with its next heartbeat unless it is stopped/);
  assert.ok(!members.knows("a", "i-002"));
});

test("evict refuses where quorum would suffer", async () => {
  const members = cluster(["i-001", "i-003"]);
  const refused = await run(members, "ring evict --instance-id=i-003");
  assert.equal(refused.code, 1);
  assert.match(
    refused.out,
    /refused: samples of [\d.]+% of the keys .* may be on no instance that answers; also missing: i-001/,
  );
  assert.ok(members.knows("a", "i-003"));
  assert.equal((await run(members, "ring evict --instance-id=i-003 --force")).code, 0);
  assert.ok(!members.knows("a", "i-003"));
});

test("evict --dry-run changes nothing, and ends as it would have ended", async () => {
  const members = cluster(["i-003"]);
  const { code, out } = await run(members, "ring evict --instance-id=i-003 --dry-run");
  assert.equal(code, 0);
  assert.match(out, /dry run: i-003 would be taken out/);
  assert.equal((await run(members, "ring evict --instance-id=i-002 --dry-run")).code, 1);
  assert.ok(members.knows("a", "i-003") && members.knows("a", "i-002"));
  assert.ok(members.requests.every(({ method }) => method === "GET"));
});

test("evict --json has its outcome on standard output and its words on the other", async () => {
  const { out, err } = await run(cluster(["i-003"]), "ring evict --instance-id=i-003 --json");
  assert.deepEqual(JSON.parse(out), { instance: "i-003", outcome: "evicted", objections: [] });
  assert.match(err, /is out of the ring/);
});

test("an address that is not the instance's stops it, force or not", async () => {
  const members = cluster(["i-003"]);
  await assert.rejects(
    run(members, "ring evict --instance-id=i-003 --address=kvstore.telemetry:8500 --force"),
    /i-003 is at i-003\.example:9095, and not at kvstore\.telemetry:8500: nothing was changed/,
  );
  assert.ok(members.knows("a", "i-003"));
});

test("an unknown instance: the nearest, and those that there are", async () => {
  await assert.rejects(
    run(cluster([]), "ring evict --instance-id=i-0003"),
    /no instance i-0003 in the ring that http:\/\/a sees; did you mean i-00\d\? \(it has i-000, i-001, i-002, i-003, i-004\)/,
  );
  await assert.rejects(run(cluster([]), "ring evict"), /evict needs --instance-id=ID/);
});

test("a distributor is taken out whatever happens to quorum: it holds nothing", async () => {
  const members = cluster(["i-001", "i-003"]);
  const { code } = await run(members, "ring evict --ring-name=distributor --instance-id=i-003");
  assert.equal(code, 0);
  assert.ok(members.requests.every(({ url }) => url.startsWith("http://a/distributor/ring")));
});

test("verify is content with a ring that is well", async () => {
  const { code, out } = await run(cluster([]), "ring verify");
  assert.equal(code, 0, out);
  assert.equal(out, "ok: 5 instances in the ingester ring");
});

test("verify names what is below quorum and who is silent", async () => {
  const { code, out } = await run(cluster(["i-001", "i-003"]), "ring verify");
  assert.equal(code, 1);
  assert.match(out, /problem \(unhealthy\): i-001 is unhealthy: it has been silent for 60m/);
  assert.match(out, /problem \(quorum\): reads: /);
});

test("verify finds wrong clocks, tokens claimed twice, and uneven shares", async () => {
  const [first, ...others] = grow({ count: 3 }) as [Instance, ...Instance[]];
  const greedy: Instance = {
    ...first,
    // A quarter of the tokens of each other one, too.
    tokens: Uint32Array.from(
      new Set([...first.tokens, ...others.flatMap(({ tokens }) => [...tokens.subarray(0, 128)])]),
    ).sort(),
    registeredAtMs: NOW_MS - HOUR,
    heartbeatMs: NOW_MS + 90_000,
  };
  const members = new SimulatedMembers({ instances: [greedy, ...others] });
  const { code, out } = await run(members, "ring verify");
  assert.equal(code, 1);
  assert.match(out, /problem \(clock\): i-000 has a clock that is 90s ahead/);
  assert.match(out, /problem \(token-conflict\): i-000 and i-001 claim 128 tokens both/);
  assert.match(out, /problem \(ownership\): ownership is uneven: i-000 has /);
});

test("verify compares what members see", async () => {
  const members = cluster([], { hosts: ["a", "b"] });
  const words = "ring verify --url=http://a --url=http://b";
  assert.equal((await run(members, words)).code, 0);
  const [one] = grow({ count: 1 });
  assert.ok(one !== undefined);
  members.tell("b", [{ ...one, heartbeatMs: NOW_MS + 1000, state: "LEAVING" }]);
  const { code, out } = await run(members, `${words} --json`);
  assert.equal(code, 1);
  const { problems } = JSON.parse(out) as { problems: { kind: string; text: string }[] };
  assert.deepEqual(
    problems.map(({ kind }) => kind),
    ["disagreement"],
  );
  assert.match(problems[0]?.text ?? "", /i-000: ACTIVE at .* and LEAVING at/);
});

test("a member that does not answer: the next is asked; if none does, all reasons are told", async () => {
  const members = cluster([], { hosts: ["a", "b"] });
  members.down.add("a");
  const env = { MUNINN_URL: "http://a,http://b" };
  assert.equal((await run(members, "ring list", env)).code, 0);
  members.down.add("b");
  await assert.rejects(run(members, "ring status", env), (error) => {
    assert.ok(error instanceof CommandError);
    assert.match(
      error.message,
      /^no member answers:\n {2}http:\/\/a\/.*ECONNREFUSED a\n {2}http:\/\/b\/.*\nName /,
    );
    return true;
  });
});

test("words that make no sense say what does", async () => {
  const members = cluster([]);
  for (const [words, message] of [
    ["ring lst", /unknown verb "lst"\n\nUsage: muninn tool ring/],
    ["ring list --ring-name=ingestor", /no such ring; there are ingester, distributor/],
    ["ring list --url=localhost:8080", /write it like http:\/\/localhost:8080/],
    ["ring list --force", /Unknown option '--force'/],
    ["ring evict --instance-id=a --timeout=soon", /--timeout: "soon" is not a duration/],
    ["rings", /unknown tool "rings"/],
  ] as const) {
    await assert.rejects(run(members, words), (error) => {
      assert.ok(error instanceof CommandError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
  assert.match((await run(members, "ring evict --help")).out, /--instance-id=ID/);
});

test("a hostile server cannot write to the terminal", async () => {
  const [one] = grow({ count: 1 });
  assert.ok(one !== undefined);
  const hostile = { ...one, id: "\u001b]0;gotcha\u0007", zone: "\u001b[2J" };
  const members = new SimulatedMembers({ instances: [hostile] });
  for (const words of ["ring list", "ring status", "ring verify"]) {
    assert.doesNotMatch((await run(members, words)).out, /[^\P{C}\n]/u, words);
  }
});
