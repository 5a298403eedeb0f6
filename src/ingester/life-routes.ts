/** What operators and their tools ask of one ingester, at Mimir's paths (docs/http-api.md). */
import type { FastifyInstance } from "fastify";
import { OpError } from "../base/errors.ts";
import type { IngesterLife } from "./ingester-life.ts";

const BODY_BYTES_MAX = 4096;

export function registerIngesterLifeRoutes(app: FastifyInstance, life: IngesterLife): void {
  const bodyLimit = BODY_BYTES_MAX;

  app.route({
    method: ["GET", "POST"],
    url: "/ingester/flush",
    bodyLimit,
    handler: async (_request, reply) => {
      await life.flush();
      return reply.code(204).send();
    },
  });

  app.post("/ingester/shutdown", { bodyLimit }, async (_request, reply) => {
    await life.shutdown();
    return reply.code(204).send();
  });

  app.get("/ingester/prepare-shutdown", async (_request, reply) =>
    reply.type("text/plain; charset=utf-8").send(life.isPrepared ? "set\n" : "unset\n"),
  );
  app.post("/ingester/prepare-shutdown", { bodyLimit }, async (_request, reply) => {
    await life.prepareShutdown();
    return reply.code(204).send();
  });
  app.delete("/ingester/prepare-shutdown", { bodyLimit }, async (_request, reply) => {
    await life.undoPrepareShutdown();
    return reply.code(204).send();
  });

  for (const [method, readOnly] of [
    ["GET", undefined],
    ["POST", true],
    ["DELETE", false],
  ] as const) {
    app.route({
      method,
      url: "/ingester/prepare-instance-ring-downscale",
      bodyLimit,
      handler: async () => {
        if (readOnly !== undefined) life.setReadOnly(readOnly);
        return { timestamp: life.readOnlySinceSeconds };
      },
    });
  }

  app.route({
    method: ["GET", "POST"],
    url: "/ingester/mode",
    bodyLimit,
    handler: async (request) => {
      const { mode } = request.query as { mode?: unknown };
      const wanted = request.method === "POST" ? (mode ?? formField(request.body, "mode")) : mode;
      if (wanted !== undefined) life.setReadOnly(isReadOnlyMode(wanted));
      return { mode: life.readOnlySinceSeconds > 0 ? "READONLY" : "ACTIVE" };
    },
  });

  app.route({
    method: ["GET", "PUT", "DELETE"],
    url: "/ingester/unregister-on-shutdown",
    bodyLimit,
    handler: async (request) => {
      if (request.method === "PUT") life.unregisterOnShutdown = unregisterOf(request.body);
      if (request.method === "DELETE") life.unregisterOnShutdown = undefined;
      return { unregister: life.unregisterOnShutdown };
    },
  });
}

function isReadOnlyMode(mode: unknown): boolean {
  const text = String(mode).toUpperCase();
  if (text === "READONLY") return true;
  if (text === "ACTIVE") return false;
  throw new OpError("bad-request", `mode is READONLY or ACTIVE, not ${JSON.stringify(mode)}`);
}

function unregisterOf(body: unknown): boolean {
  let parsed: unknown;
  try {
    parsed = JSON.parse(textOf(body));
  } catch {
    parsed = undefined;
  }
  const unregister = (parsed as { unregister?: unknown } | undefined | null)?.unregister;
  if (typeof unregister === "boolean") return unregister;
  throw new OpError(
    "bad-request",
    'the body must be {"unregister": true} or {"unregister": false}',
  );
}

function formField(body: unknown, name: string): string | undefined {
  return new URLSearchParams(textOf(body)).get(name) ?? undefined;
}

function textOf(body: unknown): string {
  return Buffer.isBuffer(body) ? body.toString("utf8") : "";
}
