import { readFileSync } from "node:fs";

/**
 * The compiled kernel. One module a process; an instance (with a memory of its own) per tenant head, per
 * distributor and per query worker. `npm run build` makes kernel.wasm.
 */
let compiled: WebAssembly.Module | undefined;

/** Reads and compiles once. The only file access outside `sys`: code is loaded, not data. */
export function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(new URL("../kernel.wasm", import.meta.url)));
  return compiled;
}

/** A new instance with an empty memory. `Exports` is the slice of exports that the wrapper uses. */
export function instantiateKernel<Exports>(): Exports & { readonly memory: WebAssembly.Memory } {
  const instance = new WebAssembly.Instance(kernelModule(), {});
  return instance.exports as unknown as Exports & { readonly memory: WebAssembly.Memory };
}
