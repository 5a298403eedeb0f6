/** What reading a text as a value gives: the value, or the sentence that says what is wrong with it. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

export function bad(problem: string): { readonly problem: string } {
  return { problem };
}

export function good<T>(value: T): { readonly value: T } {
  return { value };
}
