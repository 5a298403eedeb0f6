import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Logger } from "../../src/base/logger.ts";
import { createLogger, type LoggerOptions, logfmtOfJson } from "../../src/sys/logger.ts";
import { TestClock } from "../testkit/test-clock.ts";

function lines(options: LoggerOptions, write: (logger: Logger) => void): string[] {
  const written: string[] = [];
  const clock = new TestClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  write(createLogger(options, { clock, output: { write: (line) => void written.push(line) } }));
  return written;
}

test("logfmt is the format of Mimir: ts, level, msg, then the fields", () => {
  assert.deepEqual(
    lines({ level: "info", format: "logfmt" }, (logger) => {
      logger.child({ component: "wal" }).warn({ bytes: 7, file: "a b", ok: true }, "torn tail");
    }),
    [
      `ts=2026-01-02T03:04:05.678Z level=warn msg="torn tail" component=wal bytes=7 file="a b" ok=true\n`,
    ],
  );
});

test("json has the same keys", () => {
  const [line = ""] = lines({ level: "debug", format: "json" }, (logger) => {
    logger.debug({ bytes: 7, nested: { a: 1 } }, "hello");
  });
  assert.deepEqual(JSON.parse(line), {
    ts: "2026-01-02T03:04:05.678Z",
    level: "debug",
    msg: "hello",
    bytes: 7,
    nested: { a: 1 },
  });
});

test("lines below the level are not written", () => {
  const written = lines({ level: "warn", format: "logfmt" }, (logger) => {
    logger.debug({}, "1");
    logger.info({}, "2");
    logger.warn({}, "3");
    logger.error({}, "4");
  });
  assert.deepEqual(
    written.map((line) => /msg=(\d)/.exec(line)?.[1]),
    ["3", "4"],
  );
});

test("an error comes with its stack and its cause, on one line", () => {
  const error = new Error("outer", { cause: new Error("inner") });
  const [line = ""] = lines({ level: "info", format: "logfmt" }, (logger) => {
    logger.error({ err: error }, "failed");
  });
  assert.equal(line.split("\n").length, 2, "one line and its end");
  assert.match(line, /err="Error: outer\\n.*logger\.test\.ts.*caused by: Error: inner/);
});

test("logfmt of any text is one line that can be taken apart again", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const line = logfmtOfJson(JSON.stringify({ ts: "t", level: "info", msg: "m", text }));
      assert.equal(line.indexOf("\n"), line.length - 1);
      const value = line.slice("ts=t level=info msg=m text=".length, -1);
      assert.equal(value.startsWith('"') ? JSON.parse(value) : value, text);
    }),
  );
});
