/** HTTP as a client, for the tools: small requests, whole answers, one timeout for both. */
import { reasonOf } from "./http-probe.ts";

export interface HttpClient {
  /** Rejects with an Error that says why, if no whole answer comes. Any status is an answer. */
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

export class FetchClient implements HttpClient {
  async request({ method, url, accept, form, timeoutMs }: HttpRequest): Promise<HttpAnswer> {
    try {
      const response = await fetch(url, {
        method,
        headers: { accept },
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
        ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
      });
      return { status: response.status, body: await readText(response) };
    } catch (error) {
      throw new Error(reasonOf(error), { cause: error });
    }
  }
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > BODY_BYTES_MAX) throw new Error(`the answer is longer than ${BODY_BYTES_MAX} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
