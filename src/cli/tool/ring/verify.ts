/** `muninn tool ring verify`: status 1 and the reasons if something is wrong. Every member that is named is asked. */
import { errorMessage } from "../../../base/errors.ts";
import { CommandError, type CommandMachine, EXIT, type ExitCode } from "../../command.ts";
import { harmless } from "../table.ts";
import { disagreements, type Finding, findingsOf } from "./findings.ts";
import type { RingArguments } from "./ring-arguments.ts";
import type { RingPage } from "./ring-page.ts";

export async function verify(
  { ring, clients, json }: RingArguments,
  { out }: CommandMachine,
): Promise<ExitCode> {
  const views: { url: string; page: RingPage }[] = [];
  const problems: Finding[] = [];
  for (const client of clients) {
    try {
      views.push({ url: client.url, page: await client.read({ withTokens: true }) });
    } catch (error) {
      problems.push({ kind: "unreachable", text: harmless(errorMessage(error)) });
    }
  }
  const [first] = views;
  if (first === undefined) {
    throw new CommandError(
      `no member answers:\n  ${problems.map(({ text }) => text).join("\n  ")}`,
    );
  }
  const found = findingsOf(first.page);
  problems.push(...found.problems, ...disagreements(views));
  if (json) {
    out(JSON.stringify({ ring, ok: problems.length === 0, problems, notes: found.notes }, null, 2));
  } else {
    for (const { kind, text } of problems) out(`problem (${kind}): ${text}`);
    for (const { kind, text } of found.notes) out(`note (${kind}): ${text}`);
    const { length } = first.page.instances;
    if (problems.length === 0) out(`ok: ${length} instances in the ${ring} ring`);
  }
  return problems.length === 0 ? EXIT.ok : EXIT.refused;
}
