/**
 * Adds to package-lock.json the platform packages that the registry in use does not carry.
 *
 * Tools with native parts list one optional package per platform. A registry mirror may hold only those of its
 * own platform; npm then writes a lock file without the others, and `npm ci` refuses that very file as out of
 * step with package.json. The entries need only a version and a platform: npm skips them before it fetches
 * anything. Run after every `npm install`: `node tools/complete-lock.ts`.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface LockedPackage {
  version: string;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  dev?: boolean;
  optional?: boolean;
  optionalDependencies?: Record<string, string>;
}

const path = "package-lock.json";
const lock = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, LockedPackage> };
const added: string[] = [];

for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    const known = Object.keys(lock.packages).some((other) => other.endsWith(key));
    if (known) continue;
    lock.packages[key] = {
      version,
      ...platformOf(name),
      ...(parent.dev === true && { dev: true }),
      optional: true,
    };
    added.push(`${name}@${version}`);
  }
}

const [root, ...others] = Object.entries(lock.packages);
others.sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(root === undefined ? others : [root, ...others]);
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? "nothing was missing" : `added ${added.join(", ")}`);

/** By the common way to name such packages: @scope/tool-OS-CPU[-ABI]. */
function platformOf(name: string): Pick<LockedPackage, "os" | "cpu" | "libc"> {
  const words = name.split(/[/-]/);
  const pick = (...known: string[]): string | undefined =>
    known.find((word) => words.includes(word));
  const os = pick("aix", "android", "darwin", "freebsd", "linux", "openharmony", "sunos", "win32");
  const cpu = pick("arm64", "arm", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64");
  if (os === undefined || cpu === undefined) throw new Error(`cannot tell the platform of ${name}`);
  const isMusl = words.some((word) => word.startsWith("musl"));
  return { os: [os], cpu: [cpu], ...(isMusl && { libc: ["musl"] }) };
}
