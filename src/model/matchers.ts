/** A condition on one label. An absent label has the value "". Regular expressions are anchored at both ends. */
export interface Matcher {
  readonly type: MatchType;
  readonly name: string;
  readonly value: string;
}

export type MatchType = "=" | "!=" | "=~" | "!~";
