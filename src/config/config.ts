/** The type that the rest of the program sees. */
export type { Config } from "./schema.ts";
