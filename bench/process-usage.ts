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

/** Of this process and of all its children that have ended. */
export function ownCpuSeconds(): number {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
  return ticks / TICKS_PER_SECOND;
}

/** Of everything on the machine: user, nice, system and interrupts. */
export function machineCpuSeconds(): number {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const fields = line.trim().split(/\s+/).slice(1).map(Number);
  const ticks = [0, 1, 2, 5, 6].reduce((sum, field) => sum + (fields[field] ?? 0), 0);
  return ticks / TICKS_PER_SECOND;
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
