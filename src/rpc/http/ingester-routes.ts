import type { IngesterClient } from "../ingester.ts";
import {
  decodeLabelsRequest,
  decodeLabelValuesRequest,
  decodeSelectRequest,
  decodeSeriesRequest,
  encodeLabelSets,
  encodePushAnswer,
} from "./messages.ts";
import { type IngesterCall, OPERATIONS, PATHS } from "./protocol.ts";
import type { RpcAnswer, RpcRoute } from "./rpc-route.ts";

const DONE: RpcAnswer = { kind: "done" };

/** An ingester of this process, for the distributors and queriers of others. */
export function ingesterRoutes(ingester: IngesterClient): RpcRoute[] {
  return [
    {
      // A push goes on when its caller is gone: it is nearly done, and its rows are wanted.
      ...forTenant("push", async ({ tenant, body }) => {
        const answer = await ingester.pushFrame(tenant, body);
        const isAllStored = answer.unknownSeries.length === 0 && answer.rejected.length === 0;
        return isAllStored ? DONE : json(encodePushAnswer(answer));
      }),
      isStreamed: true,
    },
    forTenant("select", async ({ tenant, body, signal }) => ({
      kind: "series",
      set: await ingester.select(tenant, decodeSelectRequest(body, signal)),
    })),
    forTenant("labelNames", async ({ tenant, body, signal }) =>
      jsonOf(await ingester.labelNames(tenant, decodeLabelsRequest(body, signal))),
    ),
    forTenant("labelValues", async ({ tenant, body, signal }) => {
      const { name, request } = decodeLabelValuesRequest(body, signal);
      return jsonOf(await ingester.labelValues(tenant, name, request));
    }),
    forTenant("series", async ({ tenant, body, signal }) =>
      json(encodeLabelSets(await ingester.series(tenant, decodeSeriesRequest(body, signal)))),
    ),
    {
      ...forTenant("userStats", async ({ signal }) => jsonOf(await ingester.allUserStats(signal))),
      forTenant: false,
    },
  ];
}

function forTenant(call: IngesterCall, answer: RpcRoute["answer"]): RpcRoute {
  const operation = OPERATIONS[call];
  return { method: "POST", path: PATHS[call], operation, forTenant: true, answer };
}

function json(text: string): RpcAnswer {
  return { kind: "json", text };
}

function jsonOf(value: unknown): RpcAnswer {
  return json(JSON.stringify(value));
}
