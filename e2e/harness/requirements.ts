/**
 * What a test needs of the machine. In CI everything must be there and the test runs (and fails) without it;
 * elsewhere it is skipped by name, and said so on stderr, so that nobody takes the run for a full one.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { whyNoNamespaces } from "./cluster-network.ts";

/** Path of a program on PATH. */
export function findProgram(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** For the `skip` option of a test: false, or the reason. */
export function unlessInstalled(...programs: readonly string[]): string | false {
  const missing = programs.filter((name) => findProgram(name) === undefined);
  return skipUnless(missing.length === 0, `not installed: ${missing.join(", ")}`);
}

/** For packages without a program: `path` is something that they bring. */
export function unlessFound(packageName: string, path: string): string | false {
  return skipUnless(existsSync(path), `not installed: ${packageName} (no ${path})`);
}

export function unlessRoot(): string | false {
  return skipUnless(process.getuid?.() === 0, "needs root (it mounts a small file system)");
}

export function unlessNamespaces(): string | false {
  const reason = whyNoNamespaces();
  return skipUnless(reason === undefined, reason ?? "");
}

function skipUnless(fulfilled: boolean, reason: string): string | false {
  if (fulfilled || process.env["CI"] === "true") return false;
  process.stderr.write(`SKIPPED tests of ${process.argv[1] ?? "?"}: ${reason}\n`);
  return reason;
}
