import { OpError } from "../base/errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process uses the port (EADDRINUSE)",
  EACCES: "this user may not use the port (EACCES)",
  EADDRNOTAVAIL: "this machine does not have the address (EADDRNOTAVAIL)",
};

/** Why `where` cannot be listened on, and which flags say so; any other error as it is. */
export function listenError(error: unknown, where: string, flags: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const reason = typeof code === "string" ? REASONS[code] : undefined;
  if (reason === undefined) return error;
  return new OpError(
    "listen-failed",
    `cannot listen on ${where}: ${reason}; see ${flags}`,
    {},
    {
      cause: error,
    },
  );
}
