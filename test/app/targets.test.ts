/** What the program is made of, by target; and several of them on one network, which make a cluster. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TARGETS } from "../../src/app/modules.ts";
import { must } from "../../src/base/assert.ts";
import { SeededRandom } from "../../src/base/random.ts";
import type { Config } from "../../src/config/config.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import { SimNetwork } from "../testkit/sim-network.ts";
import { TestClock } from "../testkit/test-clock.ts";
import { type AppFixture, during, get, newApp, push, until } from "./app-fixture.ts";

const HOST = "127.0.0.1";

/** Ports of HTTP and RPC are real, and chosen by the system; gossip is simulated. */
function member(
  id: string,
  target: Config["target"],
  { clock, network, join = [] }: { clock: TestClock; network: SimNetwork; join?: string[] },
): AppFixture {
  const { server, memberlist, ring, auth } = defaultConfig();
  const config: Partial<Config> = {
    target,
    server: {
      ...server,
      httpListenAddress: HOST,
      httpListenPort: 0,
      rpcListenAddress: HOST,
      rpcListenPort: 0,
    },
    memberlist: { ...memberlist, joinMembers: join },
    ring: { ...ring, instanceId: id },
    auth: { ...auth, multitenancyEnabled: false },
  };
  const machine = { clock, network: network.host(id), hostName: id };
  return newApp({ config, machine });
}

function newNetwork(): { readonly clock: TestClock; readonly network: SimNetwork } {
  const clock = new TestClock();
  return { clock, network: new SimNetwork({}, { clock, random: new SeededRandom(3) }) };
}

for (const target of Object.keys(TARGETS) as (keyof typeof TARGETS)[]) {
  test(`-target=${target} builds, starts, is ready and stops`, async () => {
    const { clock, network } = newNetwork();
    const { app, server } = member("10.0.0.1", [target], { clock, network });
    await during(clock, app.start());
    assert.deepEqual(app.readiness().reasons, []);
    assert.equal((await get(server, "/ready")).status, 200);
    const { parts } = app;
    assert.equal(parts.ingester !== undefined, target === "all" || target === "ingester");
    assert.equal(parts.distributor !== undefined, target === "all" || target === "distributor");
    assert.equal(parts.querier !== undefined, target === "all" || target === "querier");
    assert.equal(parts.cluster?.isAlone, target === "all");
    assert.equal(parts.rpc?.address === undefined, target === "all", "alone it needs no port");
    await during(clock, app.stop());
    assert.ok(app.services().every(({ state }) => state === "terminated"));
  });
}

test("ingesters here, distributor and querier there: a push is taken, and a query has it", async (t) => {
  const { clock, network } = newNetwork();
  const join = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
  const ingesters = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((id) =>
    member(id, ["ingester"], { clock, network, join }),
  );
  const front = member("10.0.0.4", ["distributor", "querier"], { clock, network, join });
  const all = [...ingesters, front];
  // Also when it fails: a process that runs on would keep the test from ending.
  t.after(() => during(clock, Promise.allSettled(all.map(({ app }) => app.stop()))));
  await during(clock, Promise.all(all.map(({ app }) => app.start())));
  const rings = must(front.app.parts.rings, "every member follows the rings");
  await until(clock, () => {
    const states = rings.ingester.view.members.map(({ instance }) => instance.state);
    return states.join() === "ACTIVE,ACTIVE,ACTIVE";
  });
  assert.equal(front.app.parts.ingester, undefined);

  const timeMs = clock.nowMs();
  const query = `/prometheus/api/v1/query?query=up&time=${timeMs / 1000}`;
  const asked = async (): Promise<unknown> => {
    const { status, body } = await during(clock, get(front.server, query));
    assert.equal(status, 200, body);
    return JSON.parse(body).data.result;
  };
  const pushed = await during(clock, push(front.server, "anonymous", timeMs));
  assert.deepEqual(pushed, { status: 200, body: "" });
  const expected = [{ metric: { __name__: "up", job: "a" }, value: [timeMs / 1000, "1"] }];
  assert.deepEqual(await asked(), expected);
  await until(clock, () =>
    ingesters.every(({ app }) => app.parts.ingester?.ingester.status.tenants.length === 1),
  );

  const [first] = ingesters;
  await during(clock, must(first, "there are three").app.stop());
  await until(clock, () => rings.ingester.view.members.some((one) => !one.instance.serving));
  const again = await during(clock, push(front.server, "anonymous", timeMs + 1000));
  assert.deepEqual(again, { status: 200, body: "" }, "two of three are enough");
  assert.deepEqual(await asked(), expected);
  for (const { app } of all.slice(1)) await during(clock, app.stop());
});
