/** One request of another member and its answer, on node:http's objects. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { OpError } from "../../base/errors.ts";
import { answerFor, type ErrorAnswer } from "../../http/errors.ts";
import type { EncodedSeriesSet } from "../../storage/encoded-series.ts";
import { encodeSeriesSet, frameBlocks, frameSizeBytes } from "../../storage/series-set-frame.ts";
import { encodeFailure } from "./messages.ts";
import type { RpcAnswer } from "./rpc-route.ts";

/** Frames up to this size are sent in one piece: copying them costs less than many small writes. */
const ONE_PIECE_BYTES = 64 * 1024;
const JSON_TYPE = "application/json";
const FRAME_TYPE = "application/octet-stream";

/** Bytes that a request announces; undefined if it does not say. */
export function announcedBytes(request: IncomingMessage): number | undefined {
  const header = request.headers["content-length"];
  if (header !== undefined) return Number(header);
  return request.method === "GET" && request.headers["transfer-encoding"] === undefined
    ? 0
    : undefined;
}

/** The body, which node:http holds to the announced length. Undefined: the caller went away. */
export function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const only = chunks.length === 1 ? chunks[0] : undefined;
      resolve(only ?? Buffer.concat(chunks));
    });
    // After "end" this means nothing.
    request.on("close", () => resolve(undefined));
    request.on("error", () => resolve(undefined));
  });
}

export async function sendAnswer(response: ServerResponse, answer: RpcAnswer): Promise<void> {
  if (answer.kind === "done") response.writeHead(204).end();
  else if (answer.kind === "json") sendText(response, 200, answer.text);
  else await sendSeries(response, answer.set);
}

/** What the caller gets for anything that was thrown; also the status and how loudly to log it. */
export function failureText(error: unknown): {
  readonly answer: ErrorAnswer;
  readonly text: string;
} {
  const answer = answerFor(error);
  const { message } = answer;
  const text =
    error instanceof OpError
      ? encodeFailure({ code: error.code, message, data: { ...error.data } })
      : encodeFailure({ code: "ingester-bug", message, data: {} });
  return { answer, text };
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  const body = Buffer.from(text, "utf8");
  response.writeHead(status, { "content-type": JSON_TYPE, "content-length": body.length });
  response.end(body);
}

async function sendSeries(response: ServerResponse, set: EncodedSeriesSet): Promise<void> {
  const sizeBytes = frameSizeBytes(set);
  response.writeHead(200, { "content-type": FRAME_TYPE, "content-length": sizeBytes });
  if (sizeBytes <= ONE_PIECE_BYTES) {
    response.end(encodeSeriesSet(set));
    return;
  }
  for (const block of frameBlocks(set)) {
    if (response.destroyed) return;
    if (!response.write(block)) await drained(response);
  }
  response.end();
}

/** Resolves too when the caller has gone. */
async function drained(response: ServerResponse): Promise<void> {
  const ended = new AbortController();
  const { signal } = ended;
  const settled = [once(response, "drain", { signal }), once(response, "close", { signal })];
  try {
    await Promise.race(settled);
  } finally {
    ended.abort();
    await Promise.allSettled(settled);
  }
}
