/** The last messages, for people who wonder how something came about. Old ones go when the buffer is full. */
export interface HistoryEntry {
  readonly atMs: number;
  /** "state": by push/pull. */
  readonly direction: "received" | "received-state" | "sent";
  readonly key: string;
  readonly type: string;
  /** As it came or went, to be decoded by its type. */
  readonly value: Uint8Array;
  /** What was new in it; nothing: all was known. */
  readonly news: readonly string[];
}

/** What an entry costs besides its value. */
const ENTRY_BYTES = 200;

export class History {
  readonly #sizeBytesMax: number;
  #entries: HistoryEntry[] = [];
  #sizeBytes = 0;

  /** 0 keeps nothing. */
  constructor(sizeBytesMax: number) {
    this.#sizeBytesMax = sizeBytesMax;
  }

  /** Oldest first. */
  get entries(): readonly HistoryEntry[] {
    return this.#entries;
  }

  add(entry: HistoryEntry): void {
    if (sizeOf(entry) > this.#sizeBytesMax) return;
    this.#entries.push({ ...entry, value: entry.value.slice() });
    this.#sizeBytes += sizeOf(entry);
    let dropped = 0;
    while (this.#sizeBytes > this.#sizeBytesMax) {
      this.#sizeBytes -= sizeOf(this.#entries[dropped++] as HistoryEntry);
    }
    if (dropped > 0) this.#entries = this.#entries.slice(dropped);
  }

  clear(): void {
    this.#entries = [];
    this.#sizeBytes = 0;
  }
}

function sizeOf({ value }: HistoryEntry): number {
  return ENTRY_BYTES + value.length;
}
