/**
 * A YAML file whose nodes know their line and column, and the problems found in it. Anchors, aliases and merge keys (`<<`)
 * work, since Mimir's files use them; a node may be nested or merged at most DEPTH_MAX deep, so that an anchor that contains
 * itself ends in an error.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from "yaml";

const DEPTH_MAX = 32;

export interface Entry {
  readonly key: string;
  readonly keyNode: Node;
  readonly value: Node | null;
}

export class YamlFile {
  readonly problems: string[] = [];
  readonly document: Document;
  readonly #name: string;
  readonly #lines = new LineCounter();

  constructor(name: string, text: string) {
    this.#name = name;
    this.document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      merge: true,
    });
    for (const error of this.document.errors) {
      const message =
        error.code === "DUPLICATE_KEY"
          ? "this key is in the same mapping twice"
          : `not valid YAML: ${error.message}`;
      this.problems.push(`${this.#at(error.pos[0])}: ${message}`);
    }
  }

  /** The top of the file: undefined if it is empty or no mapping (which is then a problem). */
  root(): YAMLMap | undefined {
    const top = this.document.contents;
    if (this.problems.length > 0 || top === null || isEmpty(top)) return undefined;
    if (isMap(top)) return top;
    this.problem(top, "the file must be a mapping of keys to values");
    return undefined;
  }

  problem(node: Node, message: string): void {
    this.problems.push(`${this.where(node)}: ${message}`);
  }

  /** "file:line:column". */
  where(node: Node): string {
    return this.#at(node.range?.[0] ?? 0);
  }

  /** What an alias stands for; other nodes are themselves. */
  resolve(value: unknown): Node | null {
    const node = isAlias(value) ? value.resolve(this.document) : value;
    return isNode(node) ? node : null;
  }

  /** The entries of a mapping with those that it merges, which its own go before. */
  entries(map: YAMLMap, depth = 0): Entry[] {
    const found = new Map<string, Entry>();
    const merged: YAMLMap[] = [];
    for (const pair of map.items) {
      const keyNode = pair.key as Node;
      const key = isScalar(keyNode) ? scalarText(keyNode) : String(keyNode);
      const value = this.resolve(pair.value);
      if (key === "<<") merged.push(...this.#mapsOf(value));
      else found.set(key, { key, keyNode, value });
    }
    if (merged.length > 0 && depth >= DEPTH_MAX) {
      this.problem(map, "mappings are merged too deep");
      return [...found.values()];
    }
    for (const other of merged) {
      for (const entry of this.entries(other, depth + 1)) {
        if (!found.has(entry.key)) found.set(entry.key, entry);
      }
    }
    return [...found.values()];
  }

  #mapsOf(value: Node | null): YAMLMap[] {
    if (isMap(value)) return [value];
    const items = value !== null && "items" in value ? value.items : [];
    return items.map((item) => this.resolve(item)).filter(isMap);
  }

  #at(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#name}:${line}:${col}`;
  }
}

/** `key:` with nothing after it. */
export function isEmpty(node: Node | null): node is null {
  return node === null || (isScalar(node) && node.value === null);
}

/** As it was written, so that `0x10`, `1e3` and `007` are the option's business and not YAML's. */
export function scalarText(node: Scalar): string {
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}
