import manifest from "../../package.json" with { type: "json" };
import type { BuildView } from "../ui/views.ts";

/** Run from source, the program knows its version, but not the commit. */
export const BUILD: BuildView = {
  version: manifest.version,
  revision: "",
  branch: "",
  nodeVersion: process.version,
};
