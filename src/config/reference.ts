/** docs/configuration.md, written from the tables. `UPDATE=1 node --test test/config/reference.test.ts` rewrites the page. */
import { commandFlags } from "./flags.ts";
import { sectionOf, sectionTitles } from "./help.ts";
import { flagOfPath, type Option, shownDefault } from "./option.ts";
import { placedOptions } from "./schema.ts";

const introduction = `# Configuration

<!-- Written by src/config/reference.ts from the tables in src/config/options: change those, then run
     UPDATE=1 node --test test/config/reference.test.ts -->

Muninn reads a YAML file (\`-config.file\`) and flags. Keys and flags are Mimir's where Mimir has them, and so are the defaults,
but for a few: \`limits.out_of_order_time_window\` is 30m (Mimir: 0), every local path derives from \`data_dir\`, and those of rings
and gossip whose texts below say so.

- A flag goes before the file, the file before the default. Flags are written \`-flag=value\`, \`-flag value\` or with two dashes; a boolean flag
  alone means true.
- The file is strict. An unknown key, a wrong type, a key given twice or a combination that cannot work ends the program with status 1 and a
  message with file, line, column and, for a misspelt key, the nearest right one. All problems are told at once.
- Durations: \`500ms\`, \`30s\`, \`1h30m\`, \`2d\`, \`1w\`. Sizes: bytes as a number, or \`64KiB\`, \`100MiB\`, \`1GB\`. Lists: YAML lists, or texts with commas.
- \`\${NAME}\` and \`\${NAME:default}\` in values are replaced by environment variables with \`-config.expand-env\`; without it they stay as they are
  written, with a warning.
- Aliases are other names for the same key. A key and its alias with different values are an error.
- **Waits for**: the key is read and checked, but has no effect until this version has that feature; when it is set, a warning in the log says so.
- **Scope**: \`process\` options may differ between members, \`cluster\` options must be the same in all of them, \`limit\`s can be overridden for
  each tenant in the runtime file.

\`-print.config\` prints what is in force; \`GET /config\` does so for a running process, and \`?mode=diff\` shows only what is not a default.

## Runtime file

\`-runtime-config.file\` names YAML files that are read again every \`-runtime-config.reload-period\`. Of several, a later one wins key by key.

\`\`\`yaml
overrides:
  team-a: # a tenant; any key of "Limits" below
    ingestion_rate: 50000
    max_global_series_per_user: 1000000
distributor_limits: # in place of distributor.instance_limits
  max_inflight_push_requests: 4000
ingester_limits: # in place of ingester.instance_limits
  max_series: 2000000
\`\`\`

A file that cannot be read or has a mistake changes nothing: the limits of before stay in force, the log says why (once for each change of
the file), \`cortex_runtime_config_last_reload_successful\` becomes 0 and \`GET /runtime_config\` shows the error. At start a mistake ends the program.
`;

export function referencePage(): string {
  const parts = [introduction, "## Command\n", commandTable()];
  for (const [section, title] of sectionTitles) {
    const options = placedOptions
      .filter((placed) => sectionOf(placed) === section)
      .map(({ option }) => option);
    parts.push(`## ${title}\n`, table(options));
  }
  return `${parts.join("\n")}`;
}

function commandTable(): string {
  const rows = commandFlags.map(({ name, doc }) => `| \`-${name}\` | ${cell(doc)} |`);
  return `| Flag | Meaning |\n| --- | --- |\n${rows.join("\n")}\n`;
}

function table(options: readonly Option[]): string {
  const head = "| Key and flag | Type | Default | Meaning |\n| --- | --- | --- | --- |\n";
  return `${head}${options.map(row).join("\n")}\n`;
}

function row(option: Option): string {
  const flag = option.flag === undefined ? "no flag" : code(`-${option.flag}`);
  const shown = shownDefault(option);
  return `| ${code(option.yaml)}<br>${flag} | ${cell(option.kind.name)} | ${shown === "" ? "" : code(shown)} | ${cell(meaning(option))} |`;
}

function meaning(option: Option): string {
  const parts = [option.doc];
  if (option.scope === "cluster") parts.push("Scope: cluster.");
  if (option.inherits !== undefined) {
    parts.push(
      `Not set: as ${code(option.inherits)} (${code(`-${flagOfPath(option.inherits)}`)}).`,
    );
  }
  if (option.aliases.length > 0) parts.push(`Alias: ${option.aliases.map(code).join(", ")}.`);
  if (option.waitsFor !== undefined) parts.push(`**Waits for**: ${option.waitsFor}.`);
  return parts.join(" ");
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
