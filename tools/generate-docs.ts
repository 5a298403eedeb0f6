/** Writes docs/errors.md and docs/metrics.md from the program itself: `node tools/generate-docs.ts`. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorsPage } from "./docs/errors-page.ts";
import { metricsPage } from "./docs/metrics-page.ts";

const docs = join(import.meta.dirname, "../docs");
await writeFile(join(docs, "errors.md"), errorsPage());
await writeFile(join(docs, "metrics.md"), await metricsPage());
