/**
 * What an instance's going would do to the quorum of each range: for pages, the evict tool, and auto-forget.
 *
 *     writes   a range is below quorum if, without the instance, fewer than minSuccess can take its rows
 *     reads    a range is below quorum if, with the instance's data out of reach, more than the tolerated number of
 *              those that may hold its samples are: then some acknowledged sample may be on none that answers
 */
import { compareText } from "./instance.ts";
import { answersReads, type Member, type RingView, takesWrites } from "./ring-view.ts";
import { TOKEN_SPACE } from "./token-table.ts";

export interface Impact {
  /** Ranges between two tokens. */
  readonly ranges: number;
  readonly writes: Loss;
  readonly reads: Loss;
}

export interface Loss {
  readonly rangesBelowQuorum: number;
  /** Part of the keys, 0 to 1. */
  readonly share: number;
  /** Ids of other instances that are missing there already, most ranges first. */
  readonly because: readonly string[];
}

/** The ring as it is, if no instance is named. */
export function whatIf(view: RingView, without?: string): Impact {
  const stays = ({ instance }: Member): boolean => instance.id !== without;
  const remaining = without === undefined ? view : view.subset(view.members.filter(stays));
  return {
    ranges: view.table.tokens.length,
    writes: writeLoss(remaining),
    reads: readLoss(view, stays),
  };
}

function writeLoss(view: RingView): Loss {
  const loss = new LossTally();
  if (view.table.tokens.length === 0) return { rangesBelowQuorum: 0, share: 1, because: [] };
  for (let range = 0; range < view.table.tokens.length; range++) {
    if (view.writeSetOfRange(range).isEnough) continue;
    const unfit = view.ownersOfRange(range).filter((member) => !takesWrites(member));
    loss.add(view.table.rangeSize(range), unfit);
  }
  return loss.result();
}

function readLoss(view: RingView, stays: (member: Member) => boolean): Loss {
  const loss = new LossTally();
  for (let range = 0; range < view.table.tokens.length; range++) {
    const { holders, tolerated } = view.readSetOfRange(range);
    const missing = holders.filter((member) => !stays(member) || !answersReads(member));
    if (view.countUnits(missing) <= tolerated) continue;
    loss.add(view.table.rangeSize(range), missing.filter(stays));
  }
  return loss.result();
}

class LossTally {
  readonly #rangesOf = new Map<string, number>();
  #ranges = 0;
  #keys = 0;

  add(keys: number, because: readonly Member[]): void {
    this.#ranges++;
    this.#keys += keys;
    for (const { instance } of because) {
      this.#rangesOf.set(instance.id, (this.#rangesOf.get(instance.id) ?? 0) + 1);
    }
  }

  result(): Loss {
    const byCount = [...this.#rangesOf].sort(
      ([leftId, left], [rightId, right]) => right - left || compareText(leftId, rightId),
    );
    return {
      rangesBelowQuorum: this.#ranges,
      share: this.#keys / TOKEN_SPACE,
      because: byCount.map(([id]) => id),
    };
  }
}
