/** What a process has used, as the kernel counts it (Linux only, like all of bench/). */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** USER_HZ; 100 on every Linux that we know. A figure under about 0.2 s is therefore coarse. */
const TICKS_PER_SECOND = 100;

/** User and system time of all threads, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name of the program, in brackets, may hold spaces: count the fields from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024;
}

/** All files below a folder; those that vanish meanwhile count nothing. */
export function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => {
      try {
        const stat = statSync(join(folder, name));
        return stat.isFile() ? stat.size : 0;
      } catch {
        return 0;
      }
    })
    .reduce((sum, size) => sum + size, 0);
}
