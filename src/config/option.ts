/**
 * One option: everything there is to know about a key, in one place. The tables in options/ are made of these, and YAML
 * reading, flags, help, printed configuration, the reference page, defaults and the `Config` type all come from the tables.
 */

import type { z } from "zod";
import {
  type Bounds,
  booleanKind,
  durationKind,
  enumKind,
  floatKind,
  integerKind,
  type Kind,
  listKind,
  secretKind,
  secretsKind,
  sizeKind,
  stringKind,
  structureKind,
} from "./kinds.ts";
import { formatSize } from "./size.ts";

/**
 * "process": may differ between members. "cluster": must be the same in all of them.
 * "limit": per tenant, can be overridden while running.
 */
export type Scope = "process" | "cluster" | "limit";

/** Features that have their own issue. Keys that wait for one are read and checked, and a warning says so when they are set. */
export type Feature =
  | "object storage"
  | "query frontend"
  | "relabelling"
  | "metadata and exemplars"
  | "native histograms"
  | "OTLP"
  | "cardinality API"
  | "ruler"
  | "compactor"
  | "per-metric limit"
  | "active series limit"
  | "ingestion delay";

export interface Option<T = unknown> {
  readonly kind: Kind<T>;
  /** Full path, as in Mimir's file: "limits.ingestion_rate". */
  readonly yaml: string;
  /** Without the dash. Absent: the key has no flag, as in Mimir. */
  readonly flag: string | undefined;
  readonly default: T;
  readonly doc: string;
  readonly scope: Scope;
  /** Other YAML paths with the same meaning. */
  readonly aliases: readonly string[];
  /** A YAML path (and flag, with dashes) that gives the value when this option is not set itself. */
  readonly inherits: string | undefined;
  /** An empty value means this folder under data_dir. */
  readonly underDataDir: string | undefined;
  readonly waitsFor: Feature | undefined;
  /** Mimir has a list here where one value is all that makes sense: `[2h]` is read like `2h`. */
  readonly acceptsListOfOne: boolean;
  /** Shown by -help; the others only by -help-all. */
  readonly basic: boolean;
}

interface Texts<T> {
  readonly yaml: string;
  readonly flag?: string | null;
  readonly default: T;
  readonly doc: string;
  readonly scope?: Scope;
  readonly aliases?: readonly string[];
  readonly inherits?: string;
  readonly underDataDir?: string;
  readonly waitsFor?: Feature;
  readonly acceptsListOfOne?: boolean;
  readonly basic?: boolean;
}

function option<T>(kind: Kind<T>, texts: Texts<unknown>, value: T): Option<T> {
  const { flag, yaml } = texts;
  return {
    kind,
    yaml,
    flag: flag === null ? undefined : (flag ?? flagOfPath(yaml)),
    default: value,
    doc: texts.doc,
    scope: texts.scope ?? (yaml.startsWith("limits.") ? "limit" : "process"),
    aliases: texts.aliases ?? [],
    inherits: texts.inherits,
    underDataDir: texts.underDataDir,
    waitsFor: texts.waitsFor,
    acceptsListOfOne: texts.acceptsListOfOne ?? false,
    basic: texts.basic ?? false,
  };
}

export function flagOfPath(yaml: string): string {
  return yaml.replaceAll("_", "-");
}

/** Defaults are written as an operator would write them; a default that does not parse is a bug found at import. */
function parsed<T>(kind: Kind<T>, texts: Texts<string>): Option<T> {
  const result = kind.parse(texts.default);
  if ("problem" in result) throw new Error(`BUG: default of ${texts.yaml}: ${result.problem}`);
  return option(kind, texts, result.value);
}

export function bool(texts: Texts<boolean>): Option<boolean> {
  return option(booleanKind(), texts, texts.default);
}

/** At least 0 unless `min` says otherwise. */
export function int(texts: Texts<number> & Bounds): Option<number> {
  return option(integerKind(texts), texts, texts.default);
}

export function float(texts: Texts<number> & Bounds): Option<number> {
  return option(floatKind(texts), texts, texts.default);
}

export function duration(texts: Texts<string> & Bounds): Option<number> {
  return parsed(durationKind(texts), texts);
}

export function size(texts: Texts<string> & Bounds): Option<number> {
  return parsed(sizeKind(texts), texts);
}

export function text(texts: Texts<string> & { matches?: RegExp; say?: string }): Option<string> {
  const { matches, say } = texts;
  const kind =
    matches === undefined ? stringKind() : stringKind("string", { matches, say: say ?? "" });
  return option(kind, texts, texts.default);
}

export function path(texts: Texts<string>): Option<string> {
  return option(stringKind("path"), texts, texts.default);
}

export function secret(texts: Texts<string>): Option<string> {
  return option(secretKind(), texts, texts.default);
}

/** A list of secrets. `check` says what is wrong with one, without saying the secret. */
export function secrets(
  texts: Texts<readonly string[]> & { check: (text: string) => string | undefined },
): Option<readonly string[]> {
  return option(secretsKind(texts.check), texts, texts.default);
}

export function choice<const T extends string>(
  values: readonly T[],
  texts: Texts<NoInfer<T>>,
): Option<T> {
  return option(enumKind(values), texts, texts.default);
}

export function list(texts: Texts<readonly string[]>): Option<readonly string[]> {
  return option(listKind(), texts, texts.default);
}

export function choices<const T extends string>(
  values: readonly T[],
  texts: Texts<readonly NoInfer<T>[]>,
): Option<readonly T[]> {
  return option(listKind(values), texts, texts.default as readonly T[]);
}

/** Lists and maps of mappings. They have no flag. */
export function structure<T>(name: string, check: z.ZodType<T>, texts: Texts<T>): Option<T> {
  return option(structureKind(name, check), { ...texts, flag: null }, texts.default);
}

/** The default in one word or line, as an operator would write it; empty if it is nothing. */
export function shownDefault({ kind, default: value, underDataDir }: Option): string {
  if (underDataDir !== undefined) return `<data_dir>/${underDataDir}`;
  const printed = kind.print(value);
  if (Array.isArray(printed)) return printed.join(",");
  if (typeof printed === "object" && printed !== null) return "";
  return kind.name === "size" ? formatSize(value as number) : String(printed);
}

/** What stands for the value in help. A boolean stands alone. */
export function placeholderOf({ kind }: Option): string {
  if (kind.bareFlag !== undefined) return "";
  return kind.form === "list" ? "list" : kind.name;
}
