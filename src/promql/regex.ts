import { RE2JS } from "re2js";

/**
 * Regular expressions of label matchers and label_replace: Go's syntax, linear time, anchored at both ends, and `.`
 * matches newlines, as in Prometheus 3.
 */
export function compileAnchored(pattern: string): RE2JS {
  return RE2JS.compile(`^(?s:${pattern})$`);
}

/** undefined if the pattern is right, else what is wrong with it, in Go's words. */
export function regexProblem(pattern: string): string | undefined {
  try {
    compileAnchored(pattern);
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text.startsWith("error parsing regexp") ? text : `error parsing regexp: ${text}`;
  }
}

export function regexMatches(pattern: string, text: string): boolean {
  return compileAnchored(pattern).matcher(text).find();
}
