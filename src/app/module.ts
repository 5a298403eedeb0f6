/**
 * A module is a part of the program with a name and a list of those it needs. Modules are built in the order of need,
 * started in that order, and stopped in reverse. What a module's builder gets is exactly what it says it needs:
 * the compiler checks it.
 */
import type { Registry } from "prom-client";
import { assert } from "../base/assert.ts";
import { Service, type ServiceSteps } from "../base/service.ts";
import type { Config } from "../config/config.ts";
import type { Readiness, ServiceView, TenantView } from "../ui/views.ts";
import type { Machine } from "./machine.ts";

export interface Built<Part> extends ServiceSteps {
  readonly part: Part;
  /** Gives up what building it opened, if it is not going to be started. */
  discard?(): Promise<void>;
  /** While it is starting: how far, for /ready and for the requests that wait ("replaying WAL: segment 3 of 7"). */
  progress?(): string | undefined;
}

export interface Context {
  readonly config: Config;
  /** YAML paths of the options that the operator has set. */
  readonly explicit: ReadonlySet<string>;
  readonly machine: Machine;
  readonly registry: Registry;
  readonly overview: Overview;
}

/** The program as a whole, for pages and gates; asked while it runs, not while it is built. */
export interface Overview {
  services(): readonly ServiceView[];
  readiness(): Readiness;
  notices(): readonly string[];
  tenants(): readonly TenantView[];
  /** "ingester is starting: replaying WAL: …". */
  whyStarting(): string;
}

export interface Module<Parts extends object> {
  readonly name: keyof Parts & string;
  readonly needs: readonly Need<Parts>[];
  build(context: Context, parts: Parts): Built<Parts[keyof Parts & string]>;
}

/** The name of a part that must be there, or with "?" of one that is used if the process has it. */
export type Need<Parts extends object> = (keyof Parts & string) | `${keyof Parts & string}?`;

type Given<Parts extends object, Names> = Pick<Parts, Extract<Names, keyof Parts>> &
  Partial<Pick<Parts, Names extends `${infer Name}?` ? Extract<Name, keyof Parts> : never>>;

/** `moduleOf<Parts>()("name", ["needs", "uses?"], (context, { needs, uses }) => …)`: curried so that only Parts is written out. */
export function moduleOf<Parts extends object>() {
  return <Name extends keyof Parts & string, const Needs extends Need<Parts>>(
    name: Name,
    needs: readonly Needs[],
    build: (context: Context, parts: Given<Parts, Needs>) => Built<Parts[Name]>,
  ): Module<Parts> => ({
    name,
    needs,
    // What `inOrderOfNeed` puts before it is what the needs say.
    build: (context, parts) => build(context, parts as Given<Parts, Needs>),
  });
}

/** The modules wanted and all they need. `modules` must name each module after its needs. */
export function inOrderOfNeed<Parts extends object>(
  modules: readonly Module<Parts>[],
  wanted: readonly (keyof Parts & string)[],
): Module<Parts>[] {
  const needed = new Set<string>(wanted);
  for (const [index, { name, needs }] of [...modules.entries()].toReversed()) {
    if (!needed.has(name)) continue;
    const before = modules.slice(0, index).map((module) => module.name);
    for (const entry of needs) {
      const isOptional = entry.endsWith("?");
      const need = isOptional ? entry.slice(0, -1) : entry;
      assert(
        before.some((other) => other === need),
        `module ${name} stands before ${need}, which it needs`,
      );
      if (!isOptional) needed.add(need);
    }
  }
  return modules.filter(({ name }) => needed.has(name));
}

export interface BuiltModule {
  readonly service: Service;
  readonly progress: () => string | undefined;
  readonly discard: () => Promise<void>;
}

export function buildModules<Parts extends object>(
  ordered: readonly Module<Parts>[],
  context: Context,
): { readonly built: readonly BuiltModule[]; readonly parts: Partial<Parts> } {
  const parts: Partial<Parts> = {};
  const built = ordered.map((module) => {
    // Its needs have been built before it, and its type lets it see nothing else.
    const made = module.build(context, parts as Parts);
    parts[module.name] = made.part;
    return {
      service: new Service(module.name, made),
      progress: () => made.progress?.(),
      discard: async () => made.discard?.(),
    };
  });
  return { built, parts };
}
