/** A benchmark whose data did not arrive measures nothing: what was sent is asked for before a figure counts. */
import assert from "node:assert/strict";
import { pollUntil } from "../../e2e/harness/poll.ts";
import type { Load } from "../loadgen/load.ts";
import type { Server } from "../servers/server.ts";

/** A server, or a cluster. */
type Queried = Pick<Server, "api" | "kind">;

const COUNT_ALL = 'count({__name__=~".+"})';

/** Series that a query at the end of the load sees. */
export async function seriesCount(server: Queried, load: Load): Promise<number> {
  const answer = await server.api.instant(COUNT_ALL, load.endMs);
  assert.equal(answer.resultType, "vector");
  return Number(answer.result[0]?.value[1] ?? 0);
}

/** Waits: some peers make samples visible with a delay. */
export async function expectSeries(server: Queried, load: Load): Promise<void> {
  await pollUntil(`${load.seriesCount} series in ${server.kind.name}`, 60_000, async () =>
    (await seriesCount(server, load)) === load.seriesCount ? true : undefined,
  );
}
