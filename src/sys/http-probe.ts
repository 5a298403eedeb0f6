import { errorMessage } from "../base/errors.ts";

export type ProbeResult =
  | { readonly kind: "answered"; readonly status: number }
  | { readonly kind: "unreachable"; readonly reason: string };

/** Whether anything speaks HTTP there. Any status is an answer: the question is not whether we may come in. */
export async function probeHttp(url: string, timeoutMs: number): Promise<ProbeResult> {
  try {
    const response = await fetch(url, {
      method: "HEAD",
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    return { kind: "answered", status: response.status };
  } catch (error) {
    return { kind: "unreachable", reason: reasonOf(error) };
  }
}

/** fetch says only "fetch failed"; what happened is in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError && cause.errors.length > 0) {
    return errorMessage(cause.errors[0]);
  }
  return errorMessage(cause ?? error);
}
