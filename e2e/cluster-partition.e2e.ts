/**
 * A network that is cut in two, with real packets: one ingester and one distributor cannot be heard by the rest for ten
 * seconds, nor hear it. The side with two ingesters goes on; the other one says that it cannot, and takes nothing that it would lose.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster, seenBy } from "./harness/cluster.ts";
import { ClusterNetwork } from "./harness/cluster-network.ts";
import { ClusterReader, ClusterWriter } from "./harness/cluster-writer.ts";
import { delay } from "./harness/poll.ts";
import { unlessNamespaces } from "./harness/requirements.ts";

const CUT_MS = 10_000;
const MINORITY = ["ingester-3", "distributor-2"];
const MAJORITY = ["ingester-1", "ingester-2", "distributor-1", "querier-1"];

test("one ingester and a distributor are cut off from the others, and come back", {
  skip: unlessNamespaces(),
}, async (context) => {
  using network = ClusterNetwork.create([...MAJORITY, ...MINORITY]);
  await using cluster = await Cluster.start({ places: network.places });
  const inside = writerAt(cluster, "distributor-1", "inside");
  const outside = writerAt(cluster, "distributor-2", "outside");
  const reader = new ClusterReader(inside, cluster.api("inside"));
  for (const writer of [inside, outside]) writer.start();
  await Promise.all([inside.acknowledges(20), outside.acknowledges(20)]);
  reader.start();

  network.cut(MINORITY, MAJORITY);
  outside.refusals.length = 0;
  const cutMs = performance.now();
  // Pushes there that were answered 200 from here on had two replicas before the cut; those without get 5xx.
  await seenBy(cluster.node("distributor-1").muninn, { "ingester-3": "UNHEALTHY" });
  await seenBy(cluster.node("distributor-2").muninn, {
    "ingester-1": "UNHEALTHY",
    "ingester-2": "UNHEALTHY",
  });
  await delay(Math.max(0, cutMs + CUT_MS - performance.now()));
  await inside.acknowledges(5);
  const refused = outside.refusals.map(({ outcome }) => outcome);
  assert.ok(refused.length > 0, "the smaller side takes nothing");
  assert.ok(
    refused.every((outcome) => outcome.startsWith("5")),
    outside.refusalText(),
  );
  network.mend(MINORITY, MAJORITY);
  await cluster.settled();
  await cluster.node("ingester-3").takesSamples();
  await outside.acknowledges(20);

  await Promise.all([inside.stop(), outside.stop(), reader.stop()]);
  assert.deepEqual(inside.serverErrors, [], "the side with two ingesters goes on");
  assert.deepEqual(reader.failures, [], "and answers queries, all of them complete");
  await inside.verify(cluster.api("inside"));
  await outside.verify(cluster.api("outside"));
  context.diagnostic(outside.refusalText());
  context.diagnostic(`inside: ${inside.latencyText()}`);
});

function writerAt(cluster: Cluster, distributor: string, tenant: string): ClusterWriter {
  return new ClusterWriter({ tenant, targets: () => [cluster.node(distributor).muninn] });
}
