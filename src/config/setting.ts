/**
 * One value that the operator gave, with where it stands, and how several for one option become one.
 *
 * Order, later wins (Mimir's): inherited key in the file, own key in the file, inherited flag, own flag. Within one of these
 * an option has several settings only if it was named by several names; they must agree, since no order between them would be clear.
 */
import type { Option } from "./option.ts";

export interface Setting {
  readonly option: Option;
  readonly value: unknown;
  /** "mimir.yaml:12:5", or "command line". */
  readonly where: string;
  /** The name that was used: a YAML path (perhaps an alias), or a flag with its dash. */
  readonly name: string;
  readonly rank: number;
}

export const ranks = { inheritedKey: 1, ownKey: 2, inheritedFlag: 3, ownFlag: 4 } as const;

export interface Settled {
  readonly winners: ReadonlyMap<Option, Setting>;
  readonly problems: readonly string[];
}

export function settle(settings: readonly Setting[]): Settled {
  const winners = new Map<Option, Setting>();
  const problems: string[] = [];
  for (const setting of settings) {
    const before = winners.get(setting.option);
    if (before !== undefined && before.rank > setting.rank) continue;
    if (before !== undefined && before.rank === setting.rank && !agree(before, setting)) {
      problems.push(
        `${setting.where}: ${setting.name} and ${before.name} (${before.where}) are the same setting and have different values: keep one of them`,
      );
      continue;
    }
    winners.set(setting.option, setting);
  }
  return { winners, problems };
}

/** One name given twice is not a contradiction: the last flag wins, and YAML itself refuses a key twice. */
function agree(left: Setting, right: Setting): boolean {
  return left.name === right.name || JSON.stringify(left.value) === JSON.stringify(right.value);
}
