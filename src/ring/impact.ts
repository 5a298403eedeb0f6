/**
 * What an instance's going would do to the quorum of each range: for pages, the evict tool, and auto-forget.
 *
 *     writes   a range is below quorum if, without the instance, fewer than minSuccess can take its rows
 *     reads    a range is below quorum if, with the instance's data out of reach, more than the tolerated number of
 *              those that may hold its samples are: then some acknowledged sample may be on none that answers
 */
import { compareText } from "./instance.ts";
import { answersReads, type Member, RingView, takesWrites } from "./ring-view.ts";
import { TOKEN_SPACE } from "./token-table.ts";

export interface Impact {
  /** Ranges between two tokens of the ring as it is. */
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
  // Made anew rather than as a part of the view: the last instance of a zone takes the zone along.
  const remaining =
    without === undefined ? view : new RingView(view.members.filter(stays), view.options);
  return {
    ranges: view.table.tokens.length,
    writes: writeLoss(view, remaining),
    reads: readLoss(view, stays),
  };
}

function writeLoss({ table }: RingView, remaining: RingView): Loss {
  if (table.tokens.length === 0) return { rangesBelowQuorum: 0, share: 1, because: [] };
  const loss = new LossTally();
  for (const [range, token] of table.tokens.entries()) {
    // All keys of a range have the same fate in the remaining ring, which has some of the tokens and no others.
    const lastKey = (token - 1) >>> 0;
    if (remaining.writeSet(lastKey).isEnough) continue;
    const unfit = remaining.owners(lastKey).filter((member) => !takesWrites(member));
    loss.add(table.rangeSize(range), unfit);
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
