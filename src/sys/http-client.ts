/** HTTP as a client, for the tools: small requests, whole answers, one timeout for both. */
import { request } from "undici";
import { errorMessage } from "../base/errors.ts";

export interface HttpClient {
  /** Rejects with an Error that says why, if no whole answer comes. Any status is an answer, also a redirect. */
  request(request: HttpRequest): Promise<HttpAnswer>;
}

export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** The Accept header. */
  readonly accept: string;
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** A ring of 10,000 instances with all their tokens stays below this. */
const BODY_BYTES_MAX = 64 << 20;
const FORM_TYPE = "application/x-www-form-urlencoded";

export class UndiciClient implements HttpClient {
  async request({ method, url, accept, form, timeoutMs }: HttpRequest): Promise<HttpAnswer> {
    try {
      const { statusCode, body } = await request(url, {
        method,
        headers: form === undefined ? { accept } : { accept, "content-type": FORM_TYPE },
        body: form === undefined ? null : new URLSearchParams(form).toString(),
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: statusCode, body: await readText(body) };
    } catch (error) {
      throw new Error(reasonOf(error), { cause: error });
    }
  }
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > BODY_BYTES_MAX) throw new Error(`the answer is longer than ${BODY_BYTES_MAX} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Of a host with several addresses, what the first of them said. */
function reasonOf(error: unknown): string {
  return errorMessage(error instanceof AggregateError ? (error.errors[0] ?? error) : error);
}
