/**
 * The tokens of an instance on its own disk, so that a restarted one takes the same place in the ring, even if the ring
 * has forgotten it. JSON as Mimir writes it, {"tokens":[1,2,3]}, and beside it when the life of the instance began:
 * whoever registers later than that without this file has lost its data.
 */
import { CorruptionError, errorMessage } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { TOKENS_PER_INSTANCE_MAX } from "./codec.ts";
import type { KeptTokens } from "./lifecycle.ts";
import { TOKEN_SPACE } from "./token-table.ts";

/** undefined: there is no file. Throws a CorruptionError if it is not what was written. */
export async function readTokenFile(
  files: FileSystem,
  path: string,
): Promise<KeptTokens | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await files.readFile(path);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
  return parseTokens(new TextDecoder().decode(bytes), path);
}

export async function writeTokenFile(
  files: FileSystem,
  path: string,
  { tokens, registeredAtMs }: KeptTokens,
): Promise<void> {
  const text = JSON.stringify({ tokens: [...tokens], registered_at_ms: registeredAtMs });
  await files.writeFileAtomic(path, new TextEncoder().encode(text));
}

function parseTokens(text: string, path: string): KeptTokens {
  const fail = (message: string): never => {
    throw new CorruptionError(`${message}; remove the file to get new tokens`, {
      file: path,
      offsetBytes: 0,
    });
  };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    return fail(`not JSON: ${errorMessage(error)}`);
  }
  const tokens = (content as { tokens?: unknown } | null)?.tokens;
  if (!Array.isArray(tokens)) return fail('no list "tokens"');
  if (tokens.length > TOKENS_PER_INSTANCE_MAX) return fail(`${tokens.length} tokens are too many`);
  const numbers = tokens as unknown[];
  if (!numbers.every(isToken)) return fail("a token is not a number from 0 to 4294967295");
  const sinceMs = (content as { registered_at_ms?: unknown }).registered_at_ms;
  if (sinceMs !== undefined && !(Number.isSafeInteger(sinceMs) && (sinceMs as number) > 0)) {
    return fail("registered_at_ms is no time in milliseconds");
  }
  return {
    tokens: Uint32Array.from(new Set(numbers)).sort(),
    registeredAtMs: sinceMs as number | undefined,
  };
}

function isToken(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < TOKEN_SPACE;
}
