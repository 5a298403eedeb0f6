/** `/api/v1/push` is `api_v1_push` in the `route` label, as Mimir's dashboards expect. */
export function routeName(pattern: string): string {
  const name = pattern
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toLowerCase();
  return name === "" ? "root" : name;
}

/** The label of requests that match no route. */
export const UNMATCHED_ROUTE = "other";
