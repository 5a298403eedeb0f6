/**
 * Memory of one kernel instance. There is no garbage collector and no malloc:
 *
 *     0 ─ __heap_base          AssemblyScript's static data (none but a few globals)
 *     __heap_base ─ top        what `alloc` gave out, in order, 16-byte aligned, zeroed
 *     top ─ memory.size        free
 *
 * `alloc` never gives memory back; callers that grow tables keep their old areas for reuse (`release`,
 * `allocArea`: power-of-two areas with a free list per size). Growing detaches every view that the host
 * holds: host wrappers compare `memory.buffer` before each use.
 */

const PAGE_BYTES: usize = 65536;

let top: usize = 0;

/** Free areas by log2 of their size; each free area holds the address of the next one in its first word. */
let freeAreas: usize = 0;

/** `size` bytes, zeroed, 16-byte aligned. Traps when the memory cannot grow (4 GiB). */
export function alloc(size: usize): usize {
  if (top == 0) top = (__heap_base + 15) & ~15;
  const at = top;
  const end = at + ((size + 15) & ~15);
  if (end < at) unreachable();
  const have = <usize>memory.size() * PAGE_BYTES;
  if (end > have) {
    const missing = <i32>((end - have + PAGE_BYTES - 1) / PAGE_BYTES);
    // An eighth on top keeps the number of grow calls (and of view refreshes in the host) logarithmic.
    const wanted = missing + memory.size() / 8;
    if (memory.grow(wanted) < 0 && memory.grow(missing) < 0) unreachable();
  }
  top = end;
  return at;
}

// @ts-ignore: decorator
@inline
function sizeClass(size: usize): u32 {
  return size <= 16 ? 4 : 32 - clz<u32>(<u32>size - 1);
}

/** An area of at least `size` bytes (the next power of two), reused if one was released. NOT zeroed when reused. */
export function allocArea(size: usize): usize {
  // Beyond 2 GiB the next power of two is no size.
  if (size > 0x80000000) unreachable();
  if (freeAreas == 0) freeAreas = alloc(33 * sizeof<usize>());
  const slot = freeAreas + (<usize>sizeClass(size)) * sizeof<usize>();
  const free = load<usize>(slot);
  if (free != 0) {
    store<usize>(slot, load<usize>(free));
    return free;
  }
  return alloc(<usize>1 << sizeClass(size));
}

/** Gives back an area that `allocArea` made with the same `size`. */
export function releaseArea(at: usize, size: usize): void {
  const slot = freeAreas + (<usize>sizeClass(size)) * sizeof<usize>();
  store<usize>(at, load<usize>(slot));
  store<usize>(slot, at);
}

/** Bytes in use, for metrics. */
export function memoryUsed(): usize {
  return top;
}
