/** Ring pages of members, over HTTP. */
import { errorMessage } from "../../../base/errors.ts";
import type { HttpClient } from "../../../sys/http-client.ts";
import { CommandError } from "../../command.ts";
import { type RingPage, readRingPage } from "./ring-page.ts";

export const RING_NAMES = [
  "ingester",
  "distributor",
  "store-gateway",
  "compactor",
  "querier",
  "query-frontend",
] as const;
export type RingName = (typeof RING_NAMES)[number];

export interface RingQuestion {
  /** Also what happened to quorum without this instance. */
  readonly without?: string;
  readonly withTokens?: boolean;
}

export type ForgetAnswer =
  | { readonly kind: "forgotten" }
  /** The member itself has something against it: it may know more than its page said. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "unknown" };

const REQUEST_TIMEOUT_MS = 10_000;
const JSON_TYPE = "application/json";

/** The ring of one name, as the member at one URL sees it. */
export class RingClient {
  readonly url: string;
  readonly #endpoint: string;
  /** Only ingesters hold what nobody else has: elsewhere an instance that goes is no loss. */
  readonly #hasQuorum: boolean;
  readonly #http: HttpClient;

  constructor(url: string, name: RingName, http: HttpClient) {
    this.url = url;
    this.#endpoint = `${url.replace(/\/+$/, "")}/${name}/ring`;
    this.#hasQuorum = name === "ingester";
    this.#http = http;
  }

  /** Rejects with a CommandError that names the URL. */
  async read({ without, withTokens }: RingQuestion = {}): Promise<RingPage> {
    const query = new URLSearchParams();
    if (without !== undefined) query.set("without", without);
    if (withTokens) query.set("tokens", "true");
    const url = query.size === 0 ? this.#endpoint : `${this.#endpoint}?${query.toString()}`;
    const { status, body } = await this.#request("GET", url);
    if (status === 404) {
      throw new CommandError(`${url}: 404: ${firstLine(body)} (does the member have this ring?)`);
    }
    if (status !== 200) throw new CommandError(`${url}: ${status} ${firstLine(body)}`);
    try {
      const page = readRingPage(body);
      return this.#hasQuorum ? page : { ...page, quorum: undefined, impact: undefined };
    } catch (error) {
      throw new CommandError(`${url}: ${errorMessage(error)}`);
    }
  }

  async forget(id: string, isForced: boolean): Promise<ForgetAnswer> {
    const form = isForced ? { forget: id, force: "true" } : { forget: id };
    const { status, body } = await this.#request("POST", this.#endpoint, form);
    if (status === 200 || status === 302) return { kind: "forgotten" };
    if (status === 409) return { kind: "refused", message: errorOf(body) };
    if (status === 404) return { kind: "unknown" };
    throw new CommandError(`${this.#endpoint}: ${status} ${errorOf(body)}`);
  }

  async #request(method: "GET" | "POST", url: string, form?: Record<string, string>) {
    try {
      return await this.#http.request({
        method,
        url,
        accept: JSON_TYPE,
        timeoutMs: REQUEST_TIMEOUT_MS,
        ...(form === undefined ? {} : { form }),
      });
    } catch (error) {
      throw new CommandError(`${url}: ${errorMessage(error)}`);
    }
  }
}

/** The page of the first member that answers; if none does, a CommandError with what each of them said. */
export async function readFirst(
  clients: readonly RingClient[],
  question?: RingQuestion,
): Promise<{ readonly client: RingClient; readonly page: RingPage }> {
  const failures: string[] = [];
  for (const client of clients) {
    try {
      return { client, page: await client.read(question) };
    } catch (error) {
      failures.push(errorMessage(error));
    }
  }
  throw new CommandError(
    `no member answers:\n  ${failures.join("\n  ")}\nName the HTTP port of a running member with --url=http://HOST:PORT or MUNINN_URL.`,
  );
}

function errorOf(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // Not JSON: the text itself.
  }
  return firstLine(body);
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.slice(0, 500) ?? "";
}
