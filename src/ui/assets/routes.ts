/** Style and scripts. No page loads anything from elsewhere; addresses carry the version, so an update is seen at once. */
import type { FastifyInstance } from "fastify";
import { CLUSTER_STYLE } from "./cluster-style.ts";
import { LIVE_SCRIPT } from "./live-script.ts";
import { RING_SCRIPT } from "./ring-script.ts";
import { STYLE } from "./style.ts";

const ASSETS: readonly { readonly name: string; readonly type: string; readonly text: string }[] = [
  { name: "style.css", type: "text/css", text: STYLE + CLUSTER_STYLE },
  { name: "live.js", type: "text/javascript", text: LIVE_SCRIPT },
  { name: "ring.js", type: "text/javascript", text: RING_SCRIPT },
];

export function registerAssets(app: FastifyInstance): void {
  for (const { name, type, text } of ASSETS) {
    app.get(`/ui/${name}`, (_request, reply) =>
      reply
        .type(`${type}; charset=utf-8`)
        .header("cache-control", "max-age=3600")
        .header("x-content-type-options", "nosniff")
        .send(text),
    );
  }
}
