/**
 * Our gossip library and HashiCorp's memberlist (Debian's, in Go) as one cluster on loopback: joining in both directions,
 * probes, user messages by UDP and TCP, push/pull, metadata, leaving, sudden death. See harness/gossip-node.ts.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { type TemporaryFolder, temporaryFolder } from "./harness/folder.ts";
import {
  buildGoNode,
  GO_HAS_LABELS,
  GO_LIBRARY,
  GossipNode,
  shown,
} from "./harness/gossip-node.ts";
import { unlessFound, unlessInstalled } from "./harness/requirements.ts";

const skip =
  unlessInstalled("go") || unlessFound("golang-github-hashicorp-memberlist-dev", GO_LIBRARY);

let folder: TemporaryFolder | undefined;
let goProgram = "";

before(async () => {
  if (skip !== false || !existsSync(GO_LIBRARY)) return;
  folder = await temporaryFolder("gossip-go");
  goProgram = await buildGoNode(folder.path);
});

after(async () => {
  await folder?.[Symbol.asyncDispose]();
});

async function startOurs(name: string, flags: readonly string[]): Promise<GossipNode> {
  return await GossipNode.start({ name, flags });
}

async function startGo(name: string, flags: readonly string[]): Promise<GossipNode> {
  return await GossipNode.start({ name, flags, goProgram });
}

const KEY = "000102030405060708090a0b0c0d0e0f";
const LABEL = "--label=prod-metrics";

/** Debian 12 has a library from before labels; what Go says with a label is tested from transcripts too. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  plain: [],
  compressed: ["--compress"],
  encrypted: [`--key=${KEY}`],
  "compressed and encrypted": ["--compress", `--key=${KEY}${KEY}`],
  ...(GO_HAS_LABELS && {
    labelled: [LABEL],
    "labelled, compressed and encrypted": [LABEL, "--compress", `--key=${KEY}`],
  }),
};

for (const [what, flags] of Object.entries(SETTINGS)) {
  test(`${what}: ours joins Go; probes, messages, state, metadata; Go leaves`, {
    skip,
  }, async () => {
    await using ours = await startOurs("ours", flags);
    await using go = await startGo("go", flags);
    await ours.join(go);
    await live(ours, go);
    await go.ask("leave", "leave-done");
    const gone = await ours.heard(({ event }) => event === "member-gone");
    assert.deepEqual([gone.node, gone.status], ["go", "left"]);
    await ours.sees();
  });

  test(`${what}: Go joins ours; probes, messages, state, metadata; ours leaves`, {
    skip,
  }, async () => {
    await using ours = await startOurs("ours", flags);
    await using go = await startGo("go", flags);
    await go.join(ours);
    await live(ours, go);
    await ours.ask("leave", "leave-done");
    assert.equal((await go.heard(({ event }) => event === "member-gone")).node, "ours");
    await go.sees();
  });
}

/** What two members do with each other. */
async function live(ours: GossipNode, go: GossipNode): Promise<void> {
  await ours.sees(go);
  await go.sees(ours);
  await tell(ours, go);
  await tell(go, ours);
  // Go reports each probe that was answered; ours shows whether its own were.
  await go.heard(({ event, node }) => event === "probed" && node === "ours", { count: 5 });
  const { probed, health } = await ours.ask("members", "members");
  assert.deepEqual([probed, health], [["go"], 0]);
  for (const node of [ours, go]) {
    const bad = node.events.filter(({ event }) => event === "member-gone" || event === "error");
    assert.deepEqual(bad, [], node.name);
  }
}

/** All that one can tell the other. */
async function tell(from: GossipNode, to: GossipNode): Promise<void> {
  const known = await to.heard(
    ({ event, node }) => event === "member-joined" && node === from.name,
  );
  assert.equal(known.meta, `meta of ${from.name}`);
  await to.heard(({ event, text }) => event === "state" && text === `state of ${from.name}`);
  const long = `a long message: ${"0123456789".repeat(2000)}`;
  for (const [how, text] of [
    ["packet", `a packet of ${from.name}`],
    ["stream", `a stream of ${from.name}`],
    ["stream", long],
  ] as const) {
    from.say(`${how} ${to.name} ${text}`);
    await to.heard((heard) => heard.event === "message" && heard.text === shown(text));
  }
  // Large enough to be read in several pieces.
  const state = `new state of ${from.name} ${"x".repeat(100_000)}`;
  from.say(`state ${state}`);
  await to.heard(({ event, text }) => event === "state" && text === shown(state));
  from.say("state small again");
  from.say(`meta new meta of ${from.name}`);
  const updated = await to.heard(
    ({ event, node }) => event === "member-updated" && node === from.name,
  );
  assert.equal(updated.meta, `new meta of ${from.name}`);
}

test("two of each: a killed Go node and a killed one of ours are found dead by all others", {
  skip,
}, async () => {
  await using ours = await startOurs("ours", []);
  await using go = await startGo("go", []);
  await using ourVictim = await startOurs("our-victim", []);
  await using goVictim = await startGo("go-victim", []);
  await go.join(ours);
  await ourVictim.join(go);
  await goVictim.join(ours);
  const all = [ours, go, ourVictim, goVictim];
  await Promise.all(all.map((node) => node.sees(...all.filter((other) => other !== node))));
  await goVictim.program.stop("SIGKILL");
  await Promise.all([ours.sees(go, ourVictim), go.sees(ours, ourVictim), ourVictim.sees(ours, go)]);
  await ourVictim.program.stop("SIGKILL");
  await Promise.all([ours.sees(go), go.sees(ours)]);
  const deaths = ours.events.filter(({ event }) => event === "member-gone");
  assert.deepEqual(
    deaths.map(({ node, status }) => [node, status]),
    [
      ["go-victim", "dead"],
      ["our-victim", "dead"],
    ],
  );
});

test("a killed node comes back under its name and is alive again, on both sides", {
  skip,
}, async () => {
  await using ours = await startOurs("ours", []);
  await using go = await startGo("go", []);
  await ours.join(go);
  await Promise.all([ours.sees(go), go.sees(ours)]);
  await go.program.stop("SIGKILL");
  await ours.sees();
  await using again = await startGo("go", [`--port=${portOf(go)}`]);
  await again.join(ours);
  await Promise.all([ours.sees(again), again.sees(ours)]);
});

function portOf({ address }: GossipNode): string {
  return address.split(":")[1] ?? "";
}

for (const [what, ourFlags, goFlags] of [
  ["ours has a key, Go none", [`--key=${KEY}`], []],
  ["Go has a key, ours none", [], [`--key=${KEY}`]],
  ["the keys differ", [`--key=${KEY}`], [`--key=${KEY}${KEY}`]],
  ["ours has a label, Go none", [LABEL], []],
  ...(GO_HAS_LABELS
    ? ([
        ["Go has a label, ours none", [], [LABEL]],
        ["the labels differ", [LABEL], ["--label=another"]],
      ] as const)
    : []),
] as const) {
  test(`${what}: they do not become a cluster, whoever tries`, { skip }, async () => {
    await using ours = await startOurs("ours", ourFlags);
    await using go = await startGo("go", goFlags);
    await assert.rejects(ours.join(go));
    await assert.rejects(go.join(ours));
    await Promise.all([ours.sees(), go.sees()]);
  });
}
