import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { UndiciClient } from "../../src/sys/http-client.ts";

async function serve(context: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  context.after(() => server.closeAllConnections());
  context.after(() => server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
}

const accept = "application/json";
const timeoutMs = 10_000;

test("a form and the Accept header arrive; any status is an answer, and a redirect is not followed", async (context) => {
  const seen: string[] = [];
  const url = await serve(context, (request, response) => {
    void text(request).then((body) => {
      seen.push(`${request.method} ${request.headers.accept} ${body}`);
      response.writeHead(302, { location: "/elsewhere" }).end("there");
    });
  });
  const form = { forget: "a&b", force: "true" };
  const answer = await new UndiciClient().request({ method: "POST", url, accept, form, timeoutMs });
  assert.deepEqual(answer, { status: 302, body: "there" });
  assert.deepEqual(seen, ["POST application/json forget=a%26b&force=true"]);
});

test("nobody there, and an answer that does not end, are errors that say so", async (context) => {
  const client = new UndiciClient();
  const url = await serve(context, (_request, response) => void response.write("half"));
  await assert.rejects(
    client.request({ method: "GET", url, accept, timeoutMs: 50 }),
    /timeout|aborted/i,
  );
  await assert.rejects(
    client.request({ method: "GET", url: "http://127.0.0.1:1/", accept, timeoutMs }),
    /ECONNREFUSED/,
  );
});

test("an answer without end is cut off", async (context) => {
  const chunk = Buffer.alloc(1 << 20);
  const url = await serve(context, (_request, response) => {
    const more = (): void => {
      while (response.write(chunk));
    };
    response.on("drain", more);
    more();
  });
  await assert.rejects(
    new UndiciClient().request({ method: "GET", url, accept, timeoutMs: 60_000 }),
    /the answer is longer than 67108864 bytes/,
  );
});
