/** A YAML mapping read against a table of keys: each value parsed by its option, everything else a problem that says where. */
import { isMap, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import type { KeyTable, KnownKey } from "./key-table.ts";
import type { Kind } from "./kinds.ts";
import type { Option } from "./option.ts";
import { bad, type Parsed } from "./parsed.ts";
import { ranks, type Setting } from "./setting.ts";
import { isEmpty, scalarText, type YamlFile } from "./yaml-file.ts";

export interface ReadOptions {
  readonly keys: KeyTable;
  /** In front of the keys in messages: "overrides.team-a." */
  readonly prefix?: string;
  /** Applied to each text before it is parsed. */
  readonly expand?: (text: string, where: string, name: string) => string;
}

export function readMapping(file: YamlFile, map: YAMLMap, options: ReadOptions): Setting[] {
  return new MappingReader(file, options).read(map, "");
}

class MappingReader {
  readonly #file: YamlFile;
  readonly #options: ReadOptions;
  readonly #prefix: string;

  constructor(file: YamlFile, options: ReadOptions) {
    this.#file = file;
    this.#options = options;
    this.#prefix = options.prefix ?? "";
  }

  read(map: YAMLMap, section: string): Setting[] {
    return this.#file.entries(map).flatMap(({ key, keyNode, value }) => {
      const path = section === "" ? key : `${section}.${key}`;
      const known = this.#options.keys.find(path);
      if (known !== undefined) return this.#setting(known, path, value);
      if (this.#options.keys.isSection(path)) return this.#section(path, value);
      this.#unknown(path, keyNode);
      return [];
    });
  }

  #section(path: string, value: Node | null): Setting[] {
    if (isEmpty(value)) return [];
    if (isMap(value)) return this.read(value, path);
    this.#file.problem(value, `${this.#prefix}${path}: must be a mapping of keys to values`);
    return [];
  }

  #unknown(path: string, keyNode: Node): void {
    const nearest = this.#options.keys.nearest(path);
    const hint = nearest === undefined ? "" : `; did you mean ${this.#prefix}${nearest}?`;
    this.#file.problem(keyNode, `${this.#prefix}${path}: unknown key${hint}`);
  }

  #setting({ option, inherited }: KnownKey, path: string, node: Node | null): Setting[] {
    if (isEmpty(node)) return [];
    const name = this.#prefix + path;
    const parsed = this.#value(option, node, name);
    if (parsed === undefined) return [];
    if ("problem" in parsed) {
      this.#file.problem(node, `${name}: ${parsed.problem}`);
      return [];
    }
    const rank = inherited ? ranks.inheritedKey : ranks.ownKey;
    return [{ option, value: parsed.value, where: this.#file.where(node), name, rank }];
  }

  /** Undefined: the problem has been told already, at its own place inside the value. */
  #value(option: Option, node: Node, name: string): Parsed<unknown> | undefined {
    const { kind } = option;
    if (kind.form === "structure") return this.#structure(kind, node, name);
    if (isSeq(node)) return this.#sequence(option, node.items, name);
    if (!isScalar(node)) return bad(`must be of type ${kind.name}, not a mapping`);
    return kind.parse(this.#text(node, name));
  }

  #sequence(option: Option, items: readonly unknown[], name: string): Parsed<unknown> {
    const { kind } = option;
    const nodes = items.map((item) => this.#file.resolve(item));
    if (!nodes.every((node) => isScalar(node))) return bad(`must be of type ${kind.name}`);
    const texts = nodes.map((node) => this.#text(node, name));
    if (kind.form === "list") return kind.parse(texts.join(","));
    const [only] = texts;
    if (option.acceptsListOfOne && only !== undefined && texts.length === 1)
      return kind.parse(only);
    return bad(
      option.acceptsListOfOne
        ? `must be one ${kind.name}`
        : `must be of type ${kind.name}, not a list`,
    );
  }

  #text(node: Node, name: string): string {
    const text = isScalar(node) ? scalarText(node) : "";
    return this.#options.expand?.(text, this.#file.where(node), name) ?? text;
  }

  #structure(kind: Kind<unknown>, node: Node, name: string): Parsed<unknown> | undefined {
    const checked = kind.structure?.safeParse(node.toJS(this.#file.document));
    if (checked?.success) return { value: checked.data };
    for (const issue of checked?.error.issues ?? []) {
      const place = ["", ...issue.path].join(".");
      this.#file.problem(
        this.#inside(node, issue.path),
        `${name}${place}: not a ${kind.name}: ${issue.message}`,
      );
    }
    return undefined;
  }

  /** The deepest node on the way to a part of a value. */
  #inside(node: Node, path: readonly PropertyKey[]): Node {
    let at = node;
    for (const key of path) {
      const next = isMap(at) || isSeq(at) ? at.get(key, true) : undefined;
      const resolved = this.#file.resolve(next);
      if (resolved === null) break;
      at = resolved;
    }
    return at;
  }
}
