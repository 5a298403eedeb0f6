/** Whether all processes of a cluster in peace see the same: members, ring, and nobody who is gone. */

import { isMember } from "../../src/ring/instance.ts";
import { RING_VALUE } from "../../src/ring/ring-value.ts";
import type { SimCluster } from "./sim-cluster.ts";

export function isConverged(cluster: SimCluster): boolean {
  return convergenceFaults(cluster).length === 0;
}

/** What is not as it should be, for people. */
export function convergenceFaults(cluster: SimCluster): string[] {
  const faults: string[] = [];
  const live = cluster.nodes.filter(({ state }) => state !== "gone");
  for (const node of live) {
    if (node.state !== "up") faults.push(`${node.name} is ${node.state}`);
  }
  const names = live.map(({ name }) => name).sort();
  const ingesters = live.filter(({ role }) => role === "ingester").map(({ name }) => name);
  const digests = new Set<string>();
  for (const { name, process, state } of live) {
    if (process === undefined || state !== "up") continue;
    const members = (process.cluster.gossip?.members ?? [])
      .filter(({ status }) => status === "alive")
      .map((member) => member.name)
      .sort();
    if (members.join() !== names.join()) {
      faults.push(`${name} sees the members ${members.join()}, not ${names.join()}`);
    }
    const { view } = process.rings.ingester;
    const ring = view.members.map(({ instance }) => instance.id).sort();
    if (ring.join() !== ingesters.join()) {
      faults.push(`${name} sees the ring ${ring.join()}, not ${ingesters.join()}`);
    }
    for (const { instance, isAlive } of view.members) {
      if (!isAlive || instance.state !== "ACTIVE") {
        faults.push(`${name} sees ${instance.id} ${instance.state}, alive: ${isAlive}`);
      }
    }
    if (view.table.hasConflicts) faults.push(`${name} sees tokens that two instances claim`);
    digests.add(tokensText(process.rings.ingester.descriptor));
  }
  if (digests.size > 1) faults.push(`there are ${digests.size} opinions about tokens`);
  return faults;
}

/** Heartbeats are always a little different; tokens and states are not. */
function tokensText(ring: ReturnType<typeof RING_VALUE.merge>["result"]): string {
  return [...ring.values()]
    .filter(isMember)
    .map(({ id, state, tokens, zone }) => `${id} ${state} ${zone} ${tokens.join()}`)
    .sort()
    .join("\n");
}
