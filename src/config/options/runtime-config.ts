/** The runtime file: per-tenant limits that change without a restart. */
import { duration, list } from "../option.ts";

export const runtimeConfigOptions = {
  files: list({
    yaml: "runtime_config.file",
    default: [],
    basic: true,
    doc: "YAML files with per-tenant overrides. Of several, a later one wins key by key.",
  }),
  reloadPeriodMs: duration({
    yaml: "runtime_config.period",
    flag: "runtime-config.reload-period",
    default: "10s",
    min: 1,
    doc: "How often the files are read again.",
  }),
};
