/**
 * A node of our gossip library as a process of its own, told what to do by lines on stdin; what happens to it goes to
 * stdout, one JSON object a line. e2e/gossip-go/main.go is the same with HashiCorp's library; the commands are
 * described in e2e/harness/gossip-node.ts, which speaks to both.
 */
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { crc32 } from "node:zlib";
import { Registry } from "prom-client";
import { Keyring } from "../../src/gossip/codec/keyring.ts";
import { Gossip, type GossipUser } from "../../src/gossip/gossip.ts";
import { LAN_MEMBERSHIP } from "../../src/gossip/membership/options.ts";
import { newGossipMetrics } from "../../src/gossip/metrics.ts";
import { GOSSIP_DEFAULTS } from "../../src/gossip/options.ts";
import { NodeNetwork } from "../../src/sys/node-network.ts";
import { SystemClock } from "../../src/sys/system-clock.ts";
import { SystemRandom } from "../../src/sys/system-random.ts";
import { SILENT } from "./cluster.ts";

const ANNOUNCE_TIMEOUT_MS = 5000;

const { values } = parseArgs({
  options: {
    name: { type: "string", default: "ours" },
    port: { type: "string", default: "0" },
    label: { type: "string", default: "" },
    key: { type: "string", default: "" },
    compress: { type: "boolean", default: false },
  },
});

let state = `state of ${values.name}`;
const packets: Uint8Array[] = [];

const user: GossipUser = {
  broadcasts(overheadBytes, limitBytes) {
    let leftBytes = limitBytes;
    const fitting = packets.filter(({ length }) => (leftBytes -= length + overheadBytes) >= 0);
    packets.splice(0, fitting.length);
    return fitting;
  },
  largeBroadcast: () => undefined,
  localState: () => bytesOf(state),
  mergeRemoteState: (bytes) => report("state", { text: shown(bytes) }),
  receive: (payload) => report("message", { text: shown(payload) }),
};

const gossip: Gossip = new Gossip(
  {
    ...GOSSIP_DEFAULTS,
    nodeName: values.name,
    clusterLabel: values.label,
    bind: { host: "127.0.0.1", port: Number(values.port) },
    meta: bytesOf(`meta of ${values.name}`),
    keyring: values.key === "" ? undefined : new Keyring(Buffer.from(values.key, "hex")),
    compress: values.compress,
    membership: {
      ...LAN_MEMBERSHIP,
      probeIntervalMs: 500,
      probeTimeoutMs: 250,
      gossipIntervalMs: 50,
      pushPullIntervalMs: 1000,
    },
  },
  {
    clock: new SystemClock(),
    random: new SystemRandom(),
    network: new NodeNetwork(),
    logger: SILENT,
    metrics: newGossipMetrics(new Registry(), () => gossip),
    user,
  },
);

gossip.onMemberChange(({ type, member: { name: node, meta, status } }) => {
  report(type, { node, meta: textOf(meta), status });
});
await gossip.start();
report("ready", {});
for await (const line of createInterface({ input: process.stdin })) {
  const [command, rest] = cut(line);
  await obey(command, rest).catch((error: unknown) => report("error", { text: String(error) }));
}
// The test is gone.
process.exit(0);

async function obey(command: string, rest: string): Promise<void> {
  switch (command) {
    case "join": {
      const { joined, failures } = await gossip.join([rest]);
      report("join-done", { count: joined });
      for (const { reason } of failures) report("error", { text: reason });
      return;
    }
    case "members": {
      const here = gossip.members.filter(({ status }) => status !== "dead" && status !== "left");
      const probed = here.filter(({ roundTripMs }) => roundTripMs !== undefined);
      report("members", {
        names: here.map(({ name }) => name),
        probed: probed.map(({ name }) => name),
        health: gossip.healthScore,
      });
      return;
    }
    case "meta":
      await gossip.updateMeta(bytesOf(rest), ANNOUNCE_TIMEOUT_MS);
      return;
    case "state":
      state = rest;
      return;
    case "packet":
      packets.push(bytesOf(cut(rest)[1]));
      return;
    case "stream": {
      const [to, text] = cut(rest);
      const member = gossip.members.find(({ name }) => name === to);
      if (member === undefined) throw new Error(`no member ${to}`);
      await gossip.sendReliably(member, bytesOf(text));
      return;
    }
    case "leave":
      await gossip.leave(ANNOUNCE_TIMEOUT_MS);
      report("leave-done", {});
      return;
    default:
      throw new Error(`no such command: ${command}`);
  }
}

function report(event: string, fields: object): void {
  process.stdout.write(`${JSON.stringify({ ...fields, event })}\n`);
}

function cut(text: string): [string, string] {
  const at = text.indexOf(" ");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** Long texts by their checksum. */
function shown(bytes: Uint8Array): string {
  return bytes.length <= 200 ? textOf(bytes) : `${bytes.length} bytes, CRC-32 ${crc32(bytes)}`;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
