/** How many members are told at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../src/base/random.ts";
import { Membership } from "../../../src/gossip/membership/membership.ts";
import { LAN_MEMBERSHIP } from "../../../src/gossip/membership/options.ts";

const MEMBERS = 30;
/** No probe and no push/pull comes in between. */
const OPTIONS = { ...LAN_MEMBERSHIP, probeIntervalMs: 1e9, pushPullIntervalMs: 1e9 };

/** Receivers of the packets of one gossip interval, while so much waits. */
function receivers(waitingBytes: number): string[] {
  const membership = new Membership(
    {
      name: "self",
      address: { host: "10.0.0.1", port: 7946 },
      meta: new Uint8Array(),
      packetOverheadBytes: 0,
    },
    OPTIONS,
    {
      random: new SeededRandom(1),
      application: {
        waitingBytes,
        broadcasts: () => (waitingBytes === 0 ? [] : [Uint8Array.of(1)]),
        largeBroadcast: () => undefined,
      },
    },
  );
  membership.step({ type: "start" }, 0);
  for (let index = 0; index < MEMBERS; index++) {
    const message = {
      type: "alive" as const,
      incarnation: 1,
      node: `node-${index}`,
      host: `10.0.1.${index}`,
      port: 7946,
      meta: new Uint8Array(),
      versions: Uint8Array.of(1, 5, 2, 0, 0, 0),
    };
    membership.step({ type: "message", message, from: { host: message.host, port: 7946 } }, 0);
  }
  // What there was to tell of members is told; then only the application has something to say.
  let nowMs = 0;
  while (membership.broadcastQueue.length > 0) {
    nowMs += 1000;
    membership.step({ type: "wake" }, nowMs);
  }
  const dueMs = membership.nextWakeMs ?? 0;
  const effects = membership.step({ type: "wake" }, Math.max(nowMs, dueMs));
  return effects.flatMap((effect) => (effect.type === "send-packet" ? [effect.to.host] : []));
}

test("three members are told; more of them, but no more than twelve, when more waits than a packet holds", () => {
  for (const [waitingBytes, count] of [
    [0, 0],
    [1, 3],
    [1300, 3],
    [1500, 6],
    [4000, 9],
    [1_000_000, 12],
  ] as const) {
    const told = receivers(waitingBytes);
    assert.equal(told.length, count, `${waitingBytes} bytes wait`);
    assert.equal(new Set(told).size, count, "nobody is told twice");
  }
});
