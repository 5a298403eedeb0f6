/**
 * `${NAME}` and `${NAME:default}` in values of the file. Mimir replaces them in the text before it is YAML; here they are
 * replaced inside values, after: a password with `#` or `: ` in it cannot change the structure of the file, and lines and
 * columns in messages stay right.
 */
export interface Environment {
  readonly [name: string]: string | undefined;
}

const reference = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}/g;

export function expandEnv(
  text: string,
  environment: Environment,
): { readonly text: string; readonly unset: readonly string[] } {
  const unset: string[] = [];
  const expanded = text.replace(reference, (_, name: string, fallback: string | undefined) => {
    const value = environment[name];
    if (value !== undefined && value !== "") return value;
    if (fallback === undefined && value === undefined) unset.push(name);
    return fallback ?? "";
  });
  return { text: expanded, unset };
}

export function refersToEnv(text: string): boolean {
  return text.search(reference) >= 0;
}
