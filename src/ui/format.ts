/** Numbers as people read them. */
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1234567` is "1,234,567". */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Three digits are enough: "1.46 MiB". */
export function formatBytes(sizeBytes: number): string {
  let size = sizeBytes;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  const digits = unit === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return `${size.toFixed(digits)} ${UNITS[unit] ?? ""}`;
}

/** UTC, to the second; "–" where there is no time. */
export function formatTime(timeMs: number | undefined): string {
  if (timeMs === undefined || !Number.isFinite(timeMs) || Math.abs(timeMs) > 8.64e15) return "–";
  return `${new Date(timeMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Two units are enough: "12s", "3m 20s", "5h 3m", "12d 4h". */
export function formatDuration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return "–";
  const seconds = Math.floor(Math.abs(durationMs) / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return twoUnits(`${days}d`, hours % 24, "h");
  if (hours > 0) return twoUnits(`${hours}h`, minutes % 60, "m");
  if (minutes > 0) return twoUnits(`${minutes}m`, seconds % 60, "s");
  return `${seconds}s`;
}

function twoUnits(large: string, small: number, unit: string): string {
  return small === 0 ? large : `${large} ${small}${unit}`;
}

/** A part of a whole (0 to 1) with three significant digits: "33.3%". */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0) return "0%";
  if (percent < 0.001) return "<0.001%";
  return `${Number(percent.toPrecision(3)) >= 100 ? percent.toFixed(0) : percent.toPrecision(3)}%`;
}

/** RFC 3339; 0 is Go's zero time, as Mimir writes "never". */
export function rfc3339(timeMs: number): string {
  const isTime = Number.isFinite(timeMs) && timeMs !== 0 && Math.abs(timeMs) <= 8.64e15;
  return isTime ? new Date(timeMs).toISOString() : "0001-01-01T00:00:00Z";
}

/** "1 ingester", "3 ingesters". */
export function formatNumberOf(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** "a, b, c and 4 more". */
export function formatSome(names: readonly string[], namesMax = 5): string {
  const more = names.length - namesMax;
  return `${names.slice(0, namesMax).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
