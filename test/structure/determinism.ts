/**
 * Clock, chance, disk and network are injected everywhere above src/sys, so that a whole cluster runs in one
 * process under a seeded simulator. This file names every way around it, and the few places that may.
 */
import { codeOnly, findAll, importsOf, type SourceFile } from "./source-text.ts";

interface Ban {
  readonly pattern: RegExp;
  readonly advice: string;
  /** Paths (or folders ending in "/") that may, besides src/sys/. */
  readonly allowed?: readonly string[];
}

const CLOCK = "take a Clock (src/base/clock.ts) as a collaborator";
const RANDOM = "take a Random (src/base/random.ts) as a collaborator";
const CLI = "read it in src/cli and pass the value down as an option";

const CALLS: readonly Ban[] = [
  {
    pattern: /\bDate\.now\b/g,
    advice: `${CLOCK}: clock.nowMs()`,
    // Text that runs in the browser.
    allowed: ["src/ui/assets/live-script.ts"],
  },
  { pattern: /\bnew Date\(\s*\)/g, advice: `${CLOCK}: new Date(clock.nowMs())` },
  { pattern: /(?<!new )(?<![.\w])Date\(\s*\)/g, advice: `${CLOCK}: clock.nowMs()` },
  { pattern: /\bperformance\.now\b/g, advice: `${CLOCK}: clock.monotonicMs()` },
  { pattern: /\bprocess\.(?:hrtime|uptime)\b/g, advice: `${CLOCK}: clock.monotonicMs()` },
  {
    pattern: /(?<![.\w])(?:setTimeout|setInterval|setImmediate)\s*\(/g,
    advice: `${CLOCK}: clock.after(delayMs, run), or every() of the same file`,
  },
  { pattern: /\bMath\.random\b/g, advice: RANDOM },
  { pattern: /\b(?:randomBytes|randomUUID|randomInt|getRandomValues)\s*\(/g, advice: RANDOM },
  { pattern: /(?<![.\w#])fetch\s*\(/g, advice: "open connections in src/sys behind an interface" },
  { pattern: /\bprocess\.env\b/g, advice: CLI, allowed: ["src/cli/"] },
  { pattern: /\bprocess\.(?:exit|argv)\b/g, advice: CLI, allowed: ["src/cli/"] },
];

const MODULES: readonly Ban[] = [
  {
    pattern: /^node:fs(?:\/promises)?$/,
    advice: "take a FileSystem (src/base/file-system.ts) as a collaborator",
    // Loads code, not data: the compiled kernel beside it.
    allowed: ["src/kernel/host/module.ts"],
  },
  {
    pattern: /^node:https?$/,
    advice: "serve through src/http; open connections in src/sys",
    // The HTTP servers themselves: the public one, whose sockets are fastify's, and the one for other members.
    allowed: ["src/http/", "src/rpc/http/"],
  },
  {
    pattern: /^node:(?:net|dgram|tls|http2|dns(?:\/promises)?)$/,
    advice: "take a network interface of src/base as a collaborator; sockets live in src/sys",
  },
  { pattern: /^node:timers(?:\/promises)?$/, advice: CLOCK },
  { pattern: /^node:(?:child_process|os|process)$/, advice: "ask the machine in src/sys only" },
];

export function determinismFaults(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    if (!isInScope(file.path)) return [];
    const code = codeOnly(file.text);
    const calls = CALLS.flatMap((ban) =>
      findAll(code, ban.pattern).map((found) => ({ ...found, ban, what: found.text.trim() })),
    );
    const modules = importsOf(file).flatMap((found) =>
      MODULES.filter((ban) => ban.pattern.test(found.text)).map((ban) => ({
        ...found,
        ban,
        what: `import of ${found.text}`,
      })),
    );
    return [...calls, ...modules]
      .filter(({ ban }) => !isAllowed(file.path, ban))
      .map(({ line, what, ban }) => `${file.path}:${line}: ${what} outside src/sys: ${ban.advice}`);
  });
}

function isInScope(path: string): boolean {
  // The kernel's AssemblyScript can reach nothing but its own memory.
  return (
    path.startsWith("src/") &&
    !path.startsWith("src/sys/") &&
    !path.startsWith("src/kernel/assembly/")
  );
}

function isAllowed(path: string, ban: Ban): boolean {
  return (ban.allowed ?? []).some((entry) =>
    entry.endsWith("/") ? path.startsWith(entry) : path === entry,
  );
}
