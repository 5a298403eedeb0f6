import type { Random } from "../base/random.ts";

const BASE_SECONDS = 6;
const MAX_SECONDS = 96;

/**
 * When a refused sender should come back: 6 s doubled with every attempt, at most 96 s, plus or minus half of it
 * at random so that senders refused together do not return together. Mimir's formula; `attempt` is the
 * `Retry-Attempt` header, anything but a positive number counts as the first.
 */
export function retryAfterSeconds(attemptHeader: string | undefined, random: Random): number {
  const parsed = /^\d{1,9}$/.test(attemptHeader ?? "") ? Number(attemptHeader) : 1;
  const attempt = Math.max(1, parsed);
  const seconds = Math.min(MAX_SECONDS, BASE_SECONDS * 2 ** (attempt - 1));
  const jittered = seconds * (0.5 + random.float());
  return Math.round(Math.min(MAX_SECONDS, Math.max(BASE_SECONDS, jittered)));
}
