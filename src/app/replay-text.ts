import type { ReplayProgress } from "../tsdb/wal/replay.ts";

/** "replaying WAL: segment 3 of 7, 41 %". */
export function replayText(progress: ReplayProgress | undefined): string | undefined {
  if (progress === undefined) return undefined;
  const { segment, segments, bytesDone, bytesTotal } = progress;
  const percent = Math.floor((100 * bytesDone) / Math.max(1, bytesTotal));
  return `replaying WAL: segment ${segment} of ${segments}, ${percent} %`;
}
