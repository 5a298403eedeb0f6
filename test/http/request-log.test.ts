import assert from "node:assert/strict";
import { test } from "node:test";
import type { FastifyReply, FastifyRequest } from "fastify";
import { OpError } from "../../src/base/errors.ts";
import { newHttpFixture } from "./http-fixture.ts";

/** The lines about a request to a route that answers so; nothing else is logged above debug. */
async function linesOf(
  answer: (request: FastifyRequest, reply: FastifyReply) => unknown,
): Promise<readonly { readonly level: string; readonly message: string }[]> {
  const { server, logger } = newHttpFixture();
  server.routes((app) => void app.get("/it", answer));
  const { port } = await server.listen();
  await (await fetch(`http://127.0.0.1:${port}/it`)).text();
  await server.shutdown();
  return logger.lines
    .filter(({ fields }) => fields["path"] === "/it")
    .map(({ level, message }) => ({ level, message }));
}

test("a page that answers 503 by itself, like /ready while the process starts, is no failure", async () => {
  const lines = await linesOf((_request, reply) => reply.code(503).send("not ready"));
  assert.deepEqual(lines, [{ level: "debug", message: "request" }]);
});

test("a route that fails is logged as loudly as the table of errors says", async () => {
  const failing = (code: string) => async () => {
    throw new OpError(code, "it does not work");
  };
  assert.deepEqual(await linesOf(failing("unavailable")), [
    { level: "error", message: "request failed" },
  ]);
  assert.deepEqual(await linesOf(failing("starting")), [
    { level: "debug", message: "request failed" },
  ]);
  const bug = async () => {
    throw new TypeError("x is not a function");
  };
  assert.deepEqual(await linesOf(bug), [{ level: "error", message: "request failed" }]);
});
