/** What is to be done when: a binary heap by time, then by order of addition. No timers: the driver asks `nextMs`. */
export interface Appointment<Task> {
  readonly atMs: number;
  readonly task: Task;
  /** A cancelled one stays in the heap until its time. */
  cancelled: boolean;
}

interface Entry<Task> extends Appointment<Task> {
  readonly order: number;
}

export class Agenda<Task> {
  readonly #heap: Entry<Task>[] = [];
  #order = 0;

  add(atMs: number, task: Task): Appointment<Task> {
    const entry = { atMs, task, cancelled: false, order: this.#order++ };
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1);
    return entry;
  }

  /** When the next task is due. */
  get nextMs(): number | undefined {
    while (this.#heap[0]?.cancelled === true) this.#removeFirst();
    return this.#heap[0]?.atMs;
  }

  /** Takes out the first task that is due. */
  takeDue(nowMs: number): Task | undefined {
    const nextMs = this.nextMs;
    if (nextMs === undefined || nextMs > nowMs) return undefined;
    return this.#removeFirst()?.task;
  }

  #removeFirst(): Entry<Task> | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
    return first;
  }

  #rise(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #sink(): void {
    let index = 0;
    for (;;) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < this.#heap.length && this.#isBefore(child, least)) least = child;
      }
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #isBefore(left: number, right: number): boolean {
    const a = this.#heap[left] as Entry<Task>;
    const b = this.#heap[right] as Entry<Task>;
    return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
  }

  #swap(left: number, right: number): void {
    const entry = this.#heap[left] as Entry<Task>;
    this.#heap[left] = this.#heap[right] as Entry<Task>;
    this.#heap[right] = entry;
  }
}
