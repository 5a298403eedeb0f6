/**
 * Which replica gets which rows of a push. Pure.
 *
 * Rows with the same replica set are a group: they fare alike, so quorum is counted by group (ring/quorum.ts). A replica gets
 * the rows of all groups that it is in, in one frame; replicas that are in the same groups get the same frame.
 */
import type { QuorumGroup } from "../ring/quorum.ts";
import type { Member, RingView } from "../ring/ring-view.ts";

export interface ReplicaPlan {
  readonly groups: readonly QuorumGroup[];
  readonly targets: readonly Target[];
}

export interface Target {
  readonly member: Member;
  /** Numbers of the groups whose rows it gets. */
  readonly groups: readonly number[];
  /** Row numbers, ascending; undefined: all rows. Targets with the same rows have the same array. */
  readonly rows: Uint32Array | undefined;
}

/** A key that too few instances can take: nothing is sent. The message is for the client. */
export interface ReplicaFault {
  readonly fault: string;
}

/** `tokens`: of every row; `kept`: the rows to send, undefined for all. */
export function planReplicas(
  view: RingView,
  tokens: Uint32Array,
  kept: Uint32Array | undefined,
): ReplicaPlan | ReplicaFault {
  const count = kept?.length ?? tokens.length;
  const groupOf = new Uint32Array(count);
  const groupNumbers = new Map<number, number>();
  const members: (readonly Member[])[] = [];
  let [lastSet, lastGroup] = [-1, 0];
  for (let at = 0; at < count; at++) {
    const token = tokens[kept === undefined ? at : (kept[at] ?? 0)] ?? 0;
    const set = view.writeSetIndex(token);
    if (set !== lastSet) {
      const known = groupNumbers.get(set);
      if (known === undefined) {
        const writeSet = view.writeSetAt(set);
        if (!writeSet.isEnough) return { fault: view.writeFault(token) ?? "empty ring" };
        members.push(writeSet.members);
      }
      lastGroup = known ?? members.length - 1;
      groupNumbers.set(set, lastGroup);
      lastSet = set;
    }
    groupOf[at] = lastGroup;
  }
  return {
    groups: members.map((of) => ({ replicas: of.length, minSuccess: view.minSuccess })),
    targets: targetsOf(members, groupOf, kept),
  };
}

function targetsOf(
  members: readonly (readonly Member[])[],
  groupOf: Uint32Array,
  kept: Uint32Array | undefined,
): Target[] {
  const groupsOf = new Map<Member, number[]>();
  for (const [group, of] of members.entries()) {
    for (const member of of) {
      const groups = groupsOf.get(member);
      if (groups === undefined) groupsOf.set(member, [group]);
      else groups.push(group);
    }
  }
  const rowsByGroups = new Map<string, Uint32Array | undefined>();
  return [...groupsOf].map(([member, groups]) => {
    const key = groups.join();
    if (!rowsByGroups.has(key)) {
      const isAll = groups.length === members.length;
      rowsByGroups.set(key, isAll ? kept : rowsIn(groups, members.length, groupOf, kept));
    }
    return { member, groups, rows: rowsByGroups.get(key) };
  });
}

function rowsIn(
  groups: readonly number[],
  groupCount: number,
  groupOf: Uint32Array,
  kept: Uint32Array | undefined,
): Uint32Array {
  const isWanted = new Uint8Array(groupCount);
  for (const group of groups) isWanted[group] = 1;
  const rows = new Uint32Array(groupOf.length);
  let count = 0;
  for (let at = 0; at < groupOf.length; at++) {
    if (isWanted[groupOf[at] ?? 0] === 1) {
      rows[count++] = kept === undefined ? at : (kept[at] ?? 0);
    }
  }
  return rows.subarray(0, count);
}
