import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.ts";
import { flagTexts, printConfig } from "../../src/config/print.ts";
import { type Config, placedOptions } from "../../src/config/schema.ts";

async function configOf(...argv: string[]): Promise<Config> {
  const loaded = await loadConfig({ argv, readFile: async () => "", env: {} });
  assert.ok("config" in loaded);
  return loaded.config;
}

test("diff has what differs and nothing else", async () => {
  assert.deepEqual(parse(printConfig(await configOf(), "diff")), {});
  const config = await configOf("-data-dir=/data", "-querier.timeout=90s");
  assert.deepEqual(parse(printConfig(config, "diff")), {
    data_dir: "/data",
    querier: { timeout: "1m30s" },
  });
});

test("full has every key, under Mimir's names", async () => {
  const tree = parse(printConfig(await configOf("-log.level=warn"), "full")) as Record<
    string,
    unknown
  >;
  for (const { option } of placedOptions) {
    let node: unknown = tree;
    for (const key of option.yaml.split(".")) node = (node as Record<string, unknown>)[key];
    assert.notEqual(node, undefined, option.yaml);
  }
  assert.equal((tree["server"] as Record<string, unknown>)["log_level"], "warn");
});

test("defaults do not depend on what is set", async () => {
  const config = await configOf("-log.level=warn");
  assert.equal(printConfig(config, "defaults"), printConfig(await configOf(), "full"));
});

test("secrets are stars in every mode; an empty one shows that it is empty", async () => {
  const config = await configOf("-common.storage.s3.secret-access-key=hunter2");
  for (const mode of ["full", "diff", "defaults"] as const) {
    assert.doesNotMatch(printConfig(config, mode), /hunter2/);
  }
  assert.match(printConfig(config, "full"), /secret_access_key: "\*{8}"/);
  assert.match(printConfig(config, "full"), /access_key_id: ""/);
});

test("the texts of the flags give the same configuration again, secrets stay secret", async () => {
  const given = ["-data-dir=/data", "-querier.timeout=90s", "-runtime-config.file=a,b"];
  const secret = "-common.storage.s3.secret-access-key=hidden";
  const texts = flagTexts(await configOf(...given, secret));
  assert.equal(texts["querier.timeout"], "1m30s");
  assert.ok(!Object.values(texts).includes("hidden"));
  assert.match(texts["blocks-storage.s3.secret-access-key"] ?? "", /^\*+$/);
  const again = Object.entries(texts)
    .filter(([, text]) => !/^\*+$/.test(text))
    .map(([flag, text]) => `-${flag}=${text}`);
  assert.deepEqual(await configOf(...again), await configOf(...given));
});
