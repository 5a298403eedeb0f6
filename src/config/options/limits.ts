/**
 * What one tenant may do: Mimir's limits with Mimir's names and defaults, except `out_of_order_time_window` (ours is on by
 * default). Each can be overridden per tenant in the runtime file. The names in the program are those of model/limits.ts:
 * one that is missing here does not compile.
 */
import type { Limits } from "../../model/limits.ts";
import type { Option } from "../option.ts";
import { queryLimits } from "./query-limits.ts";
import { seriesLimits } from "./series-limits.ts";
import { storageLimits } from "./storage-limits.ts";
import { writeLimits } from "./write-limits.ts";

export const limitsOptions = {
  ...writeLimits,
  ...seriesLimits,
  ...queryLimits,
  ...storageLimits,
} satisfies { readonly [Name in keyof Limits]: Option<Limits[Name]> };
