/** Who wants to know of a key, or of all keys that begin alike. */
export interface Watch {
  cancel(): void;
}

type Listener = (key: string) => void;

/**
 * Tells listeners one change at a time: what a listener changes itself is told after the others have heard the first.
 * Several changes of a key that wait are told once.
 */
export class Watchers {
  readonly #exact = new Map<string, Set<Listener>>();
  readonly #prefixes = new Map<string, Set<Listener>>();
  readonly #pending = new Set<string>();
  #isTelling = false;

  watchKey(key: string, listener: Listener): Watch {
    return add(this.#exact, key, listener);
  }

  watchPrefix(prefix: string, listener: Listener): Watch {
    return add(this.#prefixes, prefix, listener);
  }

  tell(key: string): void {
    this.#pending.add(key);
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (const next of this.#pending) {
        this.#pending.delete(next);
        for (const listener of this.#listenersOf(next)) listener(next);
      }
    } finally {
      this.#isTelling = false;
    }
  }

  #listenersOf(key: string): Listener[] {
    const prefixes = [...this.#prefixes].filter(([prefix]) => key.startsWith(prefix));
    return [
      ...(this.#exact.get(key) ?? []),
      ...prefixes.flatMap(([, listeners]) => [...listeners]),
    ];
  }
}

function add(map: Map<string, Set<Listener>>, name: string, listener: Listener): Watch {
  // A function may watch twice: each watch is its own.
  const own: Listener = (key) => listener(key);
  const listeners = map.get(name) ?? new Set();
  map.set(name, listeners.add(own));
  return {
    cancel() {
      listeners.delete(own);
      if (listeners.size === 0 && map.get(name) === listeners) map.delete(name);
    },
  };
}
