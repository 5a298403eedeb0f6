/** HA pairs as the intake kernel reads and tells them: the host side of kernel/assembly/ha-pairs.ts. */

/** A series with both labels comes from one of a pair of senders, and is stored without the replica label. */
export interface HaLabels {
  /** Names of at most 65,535 bytes. */
  readonly clusterLabel: string;
  readonly replicaLabel: string;
  /** Pairs that the tenant may have, at most 65,535. */
  readonly pairsMax: number;
}

/** At most 256 bytes each. */
export interface HaPair {
  readonly cluster: string;
  readonly replica: string;
}

/** The column of a pair that is one too many. */
export const HA_PAIR_REFUSED = 0xffff_ffff;

/** What the control block says of HA; 0 bytes: it is off. */
export interface HaControl {
  readonly clusterBytes: number;
  readonly replicaBytes: number;
  readonly pairsMax: number;
}
export const HA_OFF: HaControl = { clusterBytes: 0, replicaBytes: 0, pairsMax: 0 };

/** A byte order mark is part of a value as anything else is. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const RECORD_HEAD_BYTES = 8;

/** The records of `newHaPairs`, `count` of them at `at`. */
export function readHaPairs(memory: ArrayBuffer, at: number, count: number): HaPair[] {
  const view = new DataView(memory);
  let next = at;
  const take = (sizeBytes: number): string => {
    next += sizeBytes;
    return utf8.decode(new Uint8Array(memory, next - sizeBytes, sizeBytes));
  };
  return Array.from({ length: count }, () => {
    const clusterBytes = view.getUint32(next, true);
    const replicaBytes = view.getUint32(next + 4, true);
    next += RECORD_HEAD_BYTES;
    return { cluster: take(clusterBytes), replica: take(replicaBytes) };
  });
}
