/** `muninn tool …` as a person runs it. */
import { join } from "node:path";
import { Program } from "./program.ts";

const LAUNCHER = join(import.meta.dirname, "../../bin/muninn.js");

export interface ToolResult {
  readonly code: number | null;
  /** Standard output and standard error. */
  readonly output: string;
}

export async function runTool(...words: readonly string[]): Promise<ToolResult> {
  const program = startMuninn("tool", ...words);
  const { code } = await program.exited;
  return { code, output: program.output };
}

/** bin/muninn.js with these words. */
export function startMuninn(...words: readonly string[]): Program {
  return new Program({
    name: `muninn ${words[0] ?? ""}`,
    command: process.execPath,
    arguments: [LAUNCHER, ...words],
  });
}
