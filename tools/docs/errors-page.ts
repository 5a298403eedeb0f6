import { ERROR_RULES } from "../../src/http/errors.ts";

/** docs/errors.md, from the table in the source. */
export function errorsPage(): string {
  const rows = Object.entries(ERROR_RULES)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([code, { status, errorType, level, meaning }]) =>
        `| \`${code}\` | ${status} | ${errorType} | ${level} | ${meaning} |`,
    );
  return `# Errors

Every operational error of Muninn has a code. The HTTP status, the \`errorType\` of the Prometheus API and the level
in the log follow from it; the text says what happened this time. Below the Prometheus prefix an error is
\`{"status":"error","errorType":…,"error":…}\`, elsewhere it is plain text. In the log, the line of a failed request
has \`code\` and \`reason\`. Errors at start end the process with status 1; they have a status here because every
code has one.

What is not in this list is a bug: the client gets 500 and no details, the log has the stack. The process goes on
after a bug in one request, and ends with status 1 after one outside of any request.

Made from \`src/http/errors.ts\` by \`node tools/generate-docs.ts\`.

| Code | Status | errorType | Log level | Meaning |
| --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
}
