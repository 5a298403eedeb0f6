/** Text tables for terminals. What comes from a server is made harmless: no control characters reach the terminal. */

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string[] {
  const all = [columns.map(({ title }) => title), ...rows.map((row) => row.map(harmless))];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => (row[at] ?? "").length)));
  return all.map((row) =>
    row
      .map((text, at) => {
        const width = widths[at] ?? 0;
        return columns[at]?.align === "right" ? text.padStart(width) : text.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}

export function harmless(text: string): string {
  return text.replaceAll(/\p{C}/gu, "?");
}

/** "33.4%": three significant digits, as the pages show shares. */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))}%`;
}

/** "4s", "12m", "3h", "5d": one unit, rounded down. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

/** "a, b and 3 more". */
export function some(names: readonly string[], max = 5): string {
  const shown = names.slice(0, max).map(harmless).join(", ");
  return names.length > max ? `${shown} and ${names.length - max} more` : shown;
}
