/**
 * The YAML keys that one mapping may hold, by dotted path, each with its option. Knows which paths are sections, and which
 * known path is nearest to one that is not known.
 */
import { distance } from "fastest-levenshtein";
import { flagOfPath, type Option } from "./option.ts";
import { placedOptions } from "./schema.ts";

export interface KnownKey {
  readonly option: Option;
  /** The key is another option's (`common.storage.…`), which gives this one its value when it has none itself. */
  readonly inherited: boolean;
}

export class KeyTable {
  readonly #keys: ReadonlyMap<string, KnownKey>;
  readonly #sections = new Set<string>();

  constructor(keys: ReadonlyMap<string, KnownKey>) {
    this.#keys = keys;
    for (const path of keys.keys()) {
      for (let dot = path.indexOf("."); dot >= 0; dot = path.indexOf(".", dot + 1)) {
        this.#sections.add(path.slice(0, dot));
      }
    }
  }

  find(path: string): KnownKey | undefined {
    return this.#keys.get(path);
  }

  isSection(path: string): boolean {
    return this.#sections.has(path);
  }

  /** A key of the same name elsewhere, else a similar name beside it, else a similar path. */
  nearest(path: string): string | undefined {
    const known = [...this.#sections, ...this.#keys.keys()];
    const name = lastPart(path);
    const moved = known.filter((other) => lastPart(other) === name);
    if (onlyOne(moved) !== undefined) return moved[0];
    const siblings = known.filter((other) => parent(other) === parent(path));
    return (
      closest(path, siblings, name.length) ??
      onlyOne(siblings.filter((other) => name.length >= 4 && other.startsWith(path))) ??
      closest(path, moved, path.length) ??
      closest(path, known, path.length)
    );
  }
}

function onlyOne(texts: readonly string[]): string | undefined {
  return texts.length === 1 ? texts[0] : undefined;
}

/** The known text that differs least, if it differs by no more than a third of `length` (or two letters). */
export function closest(
  text: string,
  known: readonly string[],
  length = text.length,
): string | undefined {
  const allowed = Math.max(2, Math.floor(length / 3));
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const other of known) {
    const far = distance(text, other);
    if (far < bestDistance) [best, bestDistance] = [other, far];
  }
  return best;
}

/** All keys of the configuration file. */
export const configKeys = new KeyTable(
  new Map(
    placedOptions.flatMap(({ option }) => {
      const keys: [string, KnownKey][] = [option.yaml, ...option.aliases].map((path) => [
        path,
        { option, inherited: false },
      ]);
      if (option.inherits !== undefined) keys.push([option.inherits, { option, inherited: true }]);
      return keys;
    }),
  ),
);

/** Keys of the options directly under `section`, without it: what a tenant's overrides may hold. */
export function keysUnder(section: string): KeyTable {
  const under = placedOptions.filter(({ option }) => parent(option.yaml) === section);
  return new KeyTable(
    new Map(
      under.map(({ option }) => [lastPart(option.yaml), { option, inherited: false }] as const),
    ),
  );
}

/** All flags that set an option. */
export const configFlags: ReadonlyMap<string, KnownKey> = new Map(
  placedOptions.flatMap(({ option }) => {
    const flags: [string, KnownKey][] = [];
    if (option.flag !== undefined) flags.push([option.flag, { option, inherited: false }]);
    if (option.inherits !== undefined) {
      flags.push([flagOfPath(option.inherits), { option, inherited: true }]);
    }
    return flags;
  }),
);

export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

function parent(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf(".")));
}
