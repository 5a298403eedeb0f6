import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkAddress } from "../../../src/base/network.ts";
import { freePorts, type Listening } from "../../../src/cli/dev-cluster/free-ports.ts";
import { NodeNetwork } from "../../../src/sys/node-network.ts";

const nothing = { close: async () => undefined };

/** A machine on which these ports are used. */
function machine(tcp: readonly number[], udp: readonly number[] = []): Listening {
  const open = (used: readonly number[]) => async (address: NetworkAddress) => {
    if (used.includes(address.port)) throw new Error("EADDRINUSE");
    return { address, ...nothing, send: async () => true };
  };
  return { listen: open(tcp), bindDatagrams: open(udp) };
}

test("the usual ports, and around those that are used", async () => {
  assert.deepEqual(await freePorts(2, machine([])), {
    http: [8080, 8081],
    rpc: [9095, 9096],
    gossip: [7946, 7947],
  });
  assert.deepEqual(await freePorts(1, machine([]), 1000), {
    http: [9080],
    rpc: [10_095],
    gossip: [8946],
  });
  assert.deepEqual(await freePorts(2, machine([8080, 9096, 7946], [7948])), {
    http: [8081, 8082],
    rpc: [9095, 9097],
    gossip: [7947, 7949],
  });
});

test("no port is given twice, and none at all is an error", async () => {
  const crowded = Array.from({ length: 134 }, (_, i) => 7946 + i);
  const { http, gossip } = await freePorts(3, machine(crowded));
  assert.deepEqual(http, [8080, 8081, 8082]);
  assert.deepEqual(gossip, [8083, 8084, 8085]);
  const full = Array.from({ length: 2000 }, (_, i) => 8080 + i);
  await assert.rejects(freePorts(1, machine(full)), /no 1 free ports between 8080 and 9080/);
});

test("a port that a real socket has is not free", async () => {
  const network = new NodeNetwork();
  const first = await freePorts(1, network);
  const port = first.http[0] as number;
  const listener = await network.listen({ host: "127.0.0.1", port }, (stream) => stream.close());
  try {
    assert.ok(!(await freePorts(1, network)).http.includes(port));
  } finally {
    await listener.close();
  }
});
