/** How queries are answered. Names and defaults are Mimir's where Mimir has the key (`querier.…`, `frontend.…`). */
export interface QuerierOptions {
  /** Queries under way at a time. Higher uses idle cores while others fetch, at the cost of memory for their chunks. */
  readonly concurrentMax: number;
  /** Queries of one tenant that may wait for a place; more get 429. */
  readonly waitingPerTenantMax: number;
  /** The same over all tenants. */
  readonly waitingMax: number;
  /** From arrival to the last byte of the result. A request's own `timeout` can only shorten it. */
  readonly timeoutMs: number;
  /** How far back an instant vector looks, when the request does not say. */
  readonly lookbackMs: number;
  /** Samples that one query may hold at once. */
  readonly samplesMax: number;
  /** Step of a subquery that names none. */
  readonly defaultSubqueryStepMs: number;
  /** Slower queries are logged at info with what they cost. 0 is never, below 0 always. */
  readonly logLongerThanMs: number;
}

export const QUERIER_DEFAULTS: QuerierOptions = {
  concurrentMax: 20,
  // Mimir's query-frontend.max-outstanding-requests-per-tenant.
  waitingPerTenantMax: 100,
  // A waiting query is a few kilobytes (its request and its socket).
  waitingMax: 10_000,
  timeoutMs: 120_000,
  lookbackMs: 300_000,
  samplesMax: 50_000_000,
  defaultSubqueryStepMs: 60_000,
  logLongerThanMs: 0,
};
