/** Who may import whom: the table of design.md section 11 and docs/architecture.md. */
import { posix } from "node:path";
import { importsOf, type SourceFile } from "./source-text.ts";

/** Rank by folder of src: a file imports its own folder and folders of lower rank, never a sibling. */
export const LAYERS: Readonly<Record<string, number>> = {
  base: 0,
  // Rank 0 too, but it asserts and reports errors as everybody does.
  kernel: 0.5,
  model: 1,
  sys: 1,
  storage: 2,
  wire: 2,
  http: 2,
  objstore: 2,
  gossip: 2,
  tsdb: 3,
  promql: 3,
  ring: 3,
  blocks: 4,
  rpc: 4,
  distributor: 5,
  ingester: 5,
  "store-gateway": 5,
  compactor: 5,
  querier: 5,
  "query-frontend": 5,
  ui: 6,
  config: 6,
  app: 7,
  cli: 8,
};

export function layerFaults(
  files: readonly SourceFile[],
  layers: Readonly<Record<string, number>> = LAYERS,
): string[] {
  return files.flatMap((file) => fileFaults(file, layers));
}

function fileFaults(file: SourceFile, layers: Readonly<Record<string, number>>): string[] {
  const [top, folder = ""] = file.path.split("/");
  const faults: string[] = [];
  for (const { line, text: specifier } of importsOf(file)) {
    if (!specifier.startsWith(".")) continue;
    const target = posix.join(posix.dirname(file.path), specifier);
    const fault =
      top === "src"
        ? importFault(folder, target, layers)
        : top === "e2e" && target.startsWith("src/")
          ? "end-to-end tests use the program as its users do: speak HTTP to it in place of importing it"
          : undefined;
    if (fault !== undefined) faults.push(`${file.path}:${line}: imports ${target}: ${fault}`);
  }
  if (top === "src" && layers[folder] === undefined) {
    faults.push(
      `${file.path}: src/${folder} has no rank: give it one in test/structure/layers.ts and in docs/architecture.md`,
    );
  }
  return faults;
}

function importFault(
  folder: string,
  target: string,
  layers: Readonly<Record<string, number>>,
): string | undefined {
  const [top, targetFolder = ""] = target.split("/");
  // The manifest holds the version, which has no other home.
  if (target === "package.json") return undefined;
  if (top !== "src") return `src/ imports nothing from ${top}/: move what is shared into src/`;
  if (targetFolder === folder) return undefined;
  const own = layers[folder] ?? -1;
  const other = layers[targetFolder] ?? Number.POSITIVE_INFINITY;
  if (other < own) return undefined;
  if (other === own) {
    return `${folder} and ${targetFolder} are siblings (rank ${own}): put the interface that both need into a lower folder and wire them in src/app`;
  }
  return `upward import, ${folder} (rank ${own}) must not know ${targetFolder} (rank ${other}): declare an interface in ${folder} or below and let src/app pass the implementation in`;
}
