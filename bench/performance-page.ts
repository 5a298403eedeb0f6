/** Keeps the table of results in docs/performance.md: new figures replace the rows of the same id, others stay. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { type Figure, format } from "./figure.ts";

const BEGIN = "<!-- results -->";
const END = "<!-- /results -->";

export function updatePage(path: string, figures: readonly Figure[], today: string): void {
  const page = readFileSync(path, "utf8");
  writeFileSync(path, replaceRows(page, figures, `${today}, ${machine()}`));
}

/** The page with these figures in it. Rows look like: | id | what | Muninn | budget | Prometheus | VictoriaMetrics | measured | */
export function replaceRows(page: string, figures: readonly Figure[], measured: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`the page has no ${BEGIN} … ${END}`);
  const lines = page
    .slice(begin + BEGIN.length, end)
    .trim()
    .split("\n");
  const [header = "", rule = "", ...rows] = lines;
  const byId = new Map(rows.map((row) => [row.split("|")[1]?.trim() ?? "", row]));
  for (const figure of figures) byId.set(`\`${figure.id}\``, rowOf(figure, measured));
  const table = [header, rule, ...byId.values()].join("\n");
  return `${page.slice(0, begin)}${BEGIN}\n${table}\n${page.slice(end)}`;
}

function rowOf(figure: Figure, measured: string): string {
  const value = (server: string): string => {
    const found = figure.values.get(server);
    return found === undefined ? "–" : format(found);
  };
  const ours = figure.values.get("Muninn") ?? Number.NaN;
  const missed = figure.budget !== undefined && ours > figure.budget;
  const cells = [
    `\`${figure.id}\``,
    `${figure.what} (${figure.unit})`,
    `${value("Muninn")}${missed ? " **missed**" : ""}`,
    figure.budget === undefined ? "–" : `≤ ${figure.budget}`,
    value("Prometheus"),
    value("VictoriaMetrics"),
    `${measured}, others ${format(figure.othersPercent)} %`,
  ];
  return `| ${cells.join(" | ")} |`;
}

function machine(): string {
  const [cpu] = cpus();
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${cpu?.model.trim() ?? "unknown CPU"}, ${gibibytes} GiB`;
}
