/** The words after `muninn tool ring <verb>`: flags with two dashes, read by node:util. */
import { parseArgs } from "node:util";
import { errorMessage } from "../../../base/errors.ts";
import { parseDuration } from "../../../config/duration.ts";
import { CommandError, type CommandMachine } from "../../command.ts";
import { RING_NAMES, RingClient, type RingName } from "./ring-client.ts";

export interface RingArguments {
  readonly ring: RingName;
  /** At least one. */
  readonly clients: readonly RingClient[];
  readonly json: boolean;
  readonly instanceId: string | undefined;
  readonly address: string | undefined;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly timeoutMs: number;
}

const DEFAULT_URL = "http://localhost:8080";

const COMMON = {
  url: { type: "string", multiple: true },
  "ring-name": { type: "string", default: "ingester" },
  json: { type: "boolean", default: false },
} as const;

const EVICT = {
  ...COMMON,
  "instance-id": { type: "string" },
  address: { type: "string" },
  force: { type: "boolean", default: false },
  "dry-run": { type: "boolean", default: false },
  timeout: { type: "string", default: "30s" },
} as const;

/** Throws a CommandError about words that make no sense. */
export function parseRingArguments(
  verb: string,
  argv: readonly string[],
  { env, http }: Pick<CommandMachine, "env" | "http">,
): RingArguments {
  const values = valuesOf(verb, argv);
  const ring = RING_NAMES.find((known) => known === values["ring-name"]);
  if (ring === undefined) {
    throw new CommandError(
      `--ring-name=${values["ring-name"]}: no such ring; there are ${RING_NAMES.join(", ")}`,
    );
  }
  const urls = values.url ?? env["MUNINN_URL"]?.split(",") ?? [DEFAULT_URL];
  return {
    ring,
    clients: urls.map((url) => new RingClient(checkedUrl(url.trim()), ring, http)),
    json: values.json,
    instanceId: values["instance-id"],
    address: values.address,
    force: values.force ?? false,
    dryRun: values["dry-run"] ?? false,
    timeoutMs: timeoutOf(values.timeout ?? "0s"),
  };
}

interface Values {
  readonly url?: string[];
  readonly "ring-name": string;
  readonly json: boolean;
  readonly "instance-id"?: string;
  readonly address?: string;
  readonly force?: boolean;
  readonly "dry-run"?: boolean;
  readonly timeout?: string;
}

function valuesOf(verb: string, argv: readonly string[]): Values {
  try {
    const options = verb === "evict" ? EVICT : COMMON;
    return parseArgs({ args: [...argv], options, strict: true }).values as unknown as Values;
  } catch (error) {
    throw new CommandError(errorMessage(error));
  }
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new CommandError(
      `--url=${text}: write it like ${DEFAULT_URL}: the HTTP address of a member, with its path prefix if it has one`,
    );
  }
  return text;
}

function timeoutOf(text: string): number {
  const parsed = parseDuration(text);
  if ("problem" in parsed) throw new CommandError(`--timeout: ${parsed.problem}`);
  return parsed.value;
}
