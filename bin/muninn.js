#!/usr/bin/env node
/*
 * Starts src/cli/main.ts with a Node that can run TypeScript (24 or newer). If this Node is older, the one that `npm ci`
 * brings (node_modules/.bin/node) takes over: same arguments, same streams, same exit code, signals passed on.
 * Must parse on Node 12, so that an old one can say what is missing: no syntax after ES2019, no top-level await.
 * (The file is an ES module by package.json, hence the imports.)
 */
import { spawn } from "child_process";
import { existsSync } from "fs";
import { dirname, join } from "path";
import { fileURLToPath } from "url";

const NODE_MAJOR_MIN = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const launcher = join(root, "bin", "muninn.js");

if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_MIN) {
  start().catch(fail);
} else {
  startNewerNode();
}

/**
 * With the compile cache (in the temporary folder) a restart spends no time on types and parsing: 0.1 s in place of 0.5.
 * The heap grows in larger steps: what the program holds is in kernel memories, the JavaScript heap is small, and V8
 * would mark it anew for every query that brings some megabytes of chunks (a fifth of a large query's CPU).
 */
async function start() {
  const { enableCompileCache } = await import("module");
  const { setFlagsFromString } = await import("v8");
  enableCompileCache();
  setFlagsFromString("--heap-growing-percent=400");
  await import("../src/cli/main.ts");
}

function startNewerNode() {
  const node = newerNode();
  if (node === undefined) {
    fail(
      new Error(
        "muninn needs Node " +
          NODE_MAJOR_MIN +
          " or newer, and this is " +
          process.version +
          ". `npm ci` in " +
          root +
          " installs one beside the program (optional dependencies must not be left out); or start bin/muninn.js with a newer Node.",
      ),
    );
    return;
  }
  const child = spawn(node, [launcher].concat(process.argv.slice(2)), { stdio: "inherit" });
  const forward = (signal) => child.kill(signal);
  // A terminal sends SIGINT to both; it is for the child alone to act on it.
  const ignore = () => undefined;
  process
    .on("SIGTERM", forward)
    .on("SIGHUP", forward)
    .on("SIGINT", process.stdin.isTTY ? ignore : forward);
  child.on("error", fail);
  child.on("exit", (code, signal) => {
    if (signal === null) {
      process.exit(code);
    } else {
      // Ends as the child ended, so that a supervisor sees the signal.
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

function newerNode() {
  const names = process.platform === "win32" ? ["node.exe", "node.cmd"] : ["node"];
  return names
    .map((name) => join(root, "node_modules", ".bin", name))
    .find((path) => existsSync(path));
}

function fail(error) {
  process.stderr.write((error.message || String(error)) + "\n");
  process.exitCode = 1;
}
