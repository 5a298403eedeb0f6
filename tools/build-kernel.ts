/**
 * Compiles src/kernel/assembly to src/kernel/kernel.wasm (about two seconds).
 * The output is written beside and renamed, so a running test never reads half a file.
 */
import { renameSync } from "node:fs";
import asc from "assemblyscript/asc";

const target = "src/kernel/kernel.wasm";
const temporary = `src/kernel/kernel.${process.pid}.wasm`;
const { error } = await asc.main(
  [
    "src/kernel/assembly/index.ts",
    `--outFile=${temporary}`,
    "-O3",
    "--runtime=stub",
    "--noAssert",
    "--enable=simd",
    "--initialMemory=1",
    // Traps carry no message; without this every `unreachable` imports an abort function.
    "--use=abort=",
  ],
  { stderr: process.stderr },
);
if (error) process.exit(1);
renameSync(temporary, target);
