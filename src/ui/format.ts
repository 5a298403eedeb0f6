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
