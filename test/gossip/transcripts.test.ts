/** Real packets of HashiCorp's memberlist: see testdata/README.md. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { SeededRandom } from "../../src/base/random.ts";
import { makeCompounds } from "../../src/gossip/codec/compound.ts";
import { encodeMessage, type Message } from "../../src/gossip/codec/messages.ts";
import { decodePacket, encodePacket } from "../../src/gossip/codec/packet.ts";
import type { Security } from "../../src/gossip/codec/security.ts";
import {
  encodeStreamMessage,
  StreamDecoder,
  type StreamMessage,
} from "../../src/gossip/codec/stream.ts";
import type { Effect } from "../../src/gossip/membership/events.ts";
import { Membership } from "../../src/gossip/membership/membership.ts";
import { LAN_MEMBERSHIP } from "../../src/gossip/membership/options.ts";
import {
  isCompressed,
  OWN_TRANSCRIPTS,
  readTranscript,
  securityOf,
  TRANSCRIPTS,
  type Utterance,
} from "./transcript.ts";

const SHARED = process.env.MEMBERLIST_TRANSCRIPTS ?? "/work/shared/testdata/memberlist";
const folders = [OWN_TRANSCRIPTS, ...(existsSync(SHARED) ? [SHARED] : [])];

for (const folder of folders) {
  for (const name of TRANSCRIPTS) {
    test(`${name}: every packet and stream decodes, and encodes to the same (${folder})`, () => {
      const security = securityOf(name);
      for (const utterance of readTranscript(name, folder)) {
        if (utterance.kind === "packet") checkPacket(utterance.bytes, name, security);
        else checkStream(utterance.bytes, name, security);
      }
    });
  }
}

function checkPacket(bytes: Uint8Array, name: string, security: Security): void {
  const { messages, malformed } = decodePacket(bytes, security);
  assert.deepEqual(malformed, []);
  const payloads = makeCompounds(messages.map(encodeMessage));
  assert.equal(payloads.length, 1);
  const options = { withCrc: true, compress: isCompressed(name) };
  const again = encodePacket(payloads[0] as Uint8Array, options, security);
  assert.deepEqual(decodePacket(again, security).messages, messages);
  // Without a nonce there is no freedom: the same bytes (checksums are up to the sender's knowledge; metadata may be nil).
  const isExact = !security.hasKeys && !messages.some((message) => message.type === "alive");
  if (!isExact) return;
  const withCrc = hasCrc(bytes, security);
  assert.deepEqual(
    encodePacket(payloads[0] as Uint8Array, { ...options, withCrc }, security),
    bytes,
  );
}

function hasCrc(bytes: Uint8Array, security: Security): boolean {
  return security.splitLabel(bytes).rest[0] === 12;
}

function checkStream(bytes: Uint8Array, name: string, security: Security): void {
  const message = decodeStream(bytes, security);
  assert.equal(message.type, "push-pull");
  const options = { compress: isCompressed(name) };
  const again = encodeStreamMessage(message, options, security);
  const labelled = Uint8Array.from([...security.header, ...again]);
  assert.deepEqual(decodeStream(labelled, security), message);
  if (!security.hasKeys) assert.deepEqual(labelled, bytes);
}

/** Byte by byte, the hardest way in which TCP may deliver it. */
function decodeStream(bytes: Uint8Array, security: Security): StreamMessage {
  const decoder = new StreamDecoder(security, { expectsLabel: true });
  for (const [index, byte] of bytes.entries()) {
    const message = decoder.push(Uint8Array.of(byte));
    if (message === undefined) continue;
    assert.equal(index, bytes.length - 1, "the message is whole with its last byte, not before");
    return message;
  }
  throw new Error("the stream has no whole message");
}

/** A node of ours in the place of one of theirs: hears what the others said, at the pace of the protocol. */
class Replay {
  readonly security: Security;
  readonly membership: Membership;
  readonly effects: Effect[] = [];
  nowMs = 0;

  constructor(transcript: string, node: string, port: number, meta: string) {
    this.security = securityOf(transcript);
    this.membership = new Membership(
      {
        name: node,
        address: { host: "127.0.0.1", port },
        meta: new TextEncoder().encode(meta),
        packetOverheadBytes: this.security.overheadBytes,
      },
      { ...LAN_MEMBERSHIP, streamPings: false },
      {
        random: new SeededRandom(7),
        application: { broadcasts: () => [], largeBroadcast: () => undefined },
      },
    );
    this.#take(this.membership.step({ type: "start" }, 0));
  }

  hear(utterance: Utterance): Message[] {
    const from = { host: "127.0.0.1", port: 1 };
    if (utterance.kind === "stream") {
      const state = decodeStream(utterance.bytes, this.security);
      assert.equal(state.type, "push-pull");
      if (state.type !== "push-pull") return [];
      this.#take(
        this.membership.step(
          { type: "remote-state", join: state.join, nodes: state.nodes },
          this.nowMs,
        ),
      );
      return [];
    }
    const { messages } = decodePacket(utterance.bytes, this.security);
    return messages.flatMap((message) =>
      this.#take(this.membership.step({ type: "message", message, from }, this.nowMs)),
    );
  }

  pass(ms: number): Message[] {
    const said: Message[] = [];
    const untilMs = this.nowMs + ms;
    for (;;) {
      const nextMs = this.membership.nextWakeMs;
      if (nextMs === undefined || nextMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      said.push(...this.#take(this.membership.step({ type: "wake" }, this.nowMs)));
    }
    this.nowMs = untilMs;
    return said;
  }

  #take(effects: readonly Effect[]): Message[] {
    this.effects.push(...effects);
    return effects.flatMap((effect) =>
      effect.type === "send-packet"
        ? decodePacket(
            encodePacket(effect.payload, { withCrc: false, compress: false }, this.security),
            this.security,
          ).messages
        : [],
    );
  }

  status(node: string): string | undefined {
    return this.membership.member(node)?.status;
  }
}

for (const name of ["plain", "compressed", "labelled", "encrypted", "full"]) {
  test(`${name}: in the place of node-a we see node-b join, answer it, and see it leave`, () => {
    const replay = new Replay(name, "node-a", 17946, "meta-a");
    const answered: number[] = [];
    for (const utterance of readTranscript(name)) {
      if (utterance.to.port !== 17946) continue;
      replay.pass(20);
      for (const said of replay.hear(utterance))
        if (said.type === "ack") answered.push(said.sequence);
      if (utterance.kind === "stream") {
        assert.equal(replay.status("node-b"), "alive");
        const [joined] = replay.effects.filter(({ type }) => type === "member-joined").slice(1);
        assert.ok(joined?.type === "member-joined");
        assert.equal(new TextDecoder().decode(joined.member.meta), "meta-b");
        assert.deepEqual([...joined.member.versions], [1, 5, 2, 0, 0, 0]);
      }
    }
    assert.deepEqual(answered, [1, 2]);
    assert.equal(replay.status("node-b"), "left");
    assert.equal(replay.membership.liveCount, 1);
    const heard = replay.effects.filter((effect) => effect.type === "user-message");
    assert.ok(heard.length > 0);
    assert.equal(new TextDecoder().decode(heard[0]?.payload), "hello-from-b");
    // Nothing that node-b said was about us in a way that we had to refute.
    assert.equal(replay.membership.healthScore, 0);
    assert.equal(replay.membership.self?.incarnation, 1);
  });
}

test("plain: our answers are node-a's, byte by byte", () => {
  const replay = new Replay("plain", "node-a", 17946, "meta-a");
  const transcript = readTranscript("plain");
  const ours = transcript
    .filter(({ to }) => to.port === 17946)
    .flatMap((utterance) => replay.hear(utterance))
    .filter(({ type }) => type === "ack")
    .map((ack) => Buffer.from(encodeMessage(ack)).toString("hex"));
  const theirs = transcript
    .filter(({ from, bytes }) => from === "node-a" && bytes[0] === 2)
    .map(({ bytes }) => Buffer.from(bytes).toString("hex"));
  assert.deepEqual(ours, theirs);
});

test("failure: in the place of node-b we are asked to probe node-c, suspect it, and see it die", () => {
  const replay = new Replay("failure", "node-b", 17947, "");
  let heardSuspicion = false;
  let relayed = 0;
  let nacks = 0;
  const transcript = readTranscript("failure");
  // What node-b itself dialled: the push/pull with node-a, whose answer is not recorded; gossip tells us instead.
  for (const utterance of transcript) {
    if (utterance.to.port !== 17947) continue;
    const said = [...replay.hear(utterance), ...replay.pass(60)];
    relayed += said.filter(
      ({ type, ...rest }) => type === "ping" && "node" in rest && rest.node === "node-c",
    ).length;
    nacks += said.filter(({ type }) => type === "nack").length;
    if (replay.status("node-c") === "suspect") heardSuspicion = true;
  }
  replay.pass(1000);
  assert.ok(relayed > 0, "we forward the pings that node-a asks for");
  assert.ok(nacks > 0, "and say that node-c does not answer");
  assert.ok(heardSuspicion);
  assert.equal(replay.status("node-c"), "dead");
});
