/** What members of a cluster can get wrong, what is said about it, and what the program learns of what was set. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isClusterMember } from "../../src/config/cluster-checks.ts";
import { type Loaded, loadConfig } from "../../src/config/load.ts";
import { printConfig } from "../../src/config/print.ts";

async function load(argv: readonly string[], file = "") {
  const words = file === "" ? argv : ["-config.file=m.yaml", ...argv];
  return await loadConfig({ argv: words, readFile: async () => file, env: {} });
}

async function good(argv: readonly string[], file?: string): Promise<Loaded> {
  const loaded = await load(argv, file);
  assert.ok("config" in loaded, "errors" in loaded ? loaded.errors.join("\n") : "");
  return loaded;
}

async function assertErrors(argv: readonly string[], ...wanted: string[]): Promise<void> {
  const loaded = await load(argv);
  assert.deepEqual("errors" in loaded ? loaded.errors : [], wanted);
}

async function assertWarnings(argv: readonly string[], ...wanted: string[]): Promise<void> {
  assert.deepEqual((await good(argv)).warnings, wanted);
}

test("what the operator set is known by its YAML path, by whatever name, also if it is the default", async () => {
  const { explicit } = await good(
    ["-memberlist.join=a", "-common.storage.backend=filesystem"],
    "ingester: {lifecycler: {ring: {replication_factor: 3}}}",
  );
  assert.deepEqual([...explicit].sort(), [
    "blocks_storage.backend",
    "ingester.ring.replication_factor",
    "memberlist.join_members",
  ]);
  assert.equal((await good([])).explicit.size, 0);
});

test("a process is a member of a cluster if it is a part only, or was told about others", async () => {
  const isMember = async (...argv: string[]): Promise<boolean> => {
    const { config, explicit } = await good(argv);
    return isClusterMember(config, (yaml) => explicit.has(yaml));
  };
  assert.equal(await isMember(), false);
  assert.equal(await isMember("-target=all", "-server.rpc-listen-port=9000"), false);
  assert.equal(await isMember("-memberlist.compression-enabled=false"), false);
  assert.equal(await isMember("-memberlist.join=other"), true);
  assert.equal(await isMember("-memberlist.bind-port=7946"), true);
  assert.equal(await isMember("-target=ingester"), true);
  assert.equal(await isMember("-memberlist.join=other", "-ingester.ring.store=inmemory"), false);
});

test("ports that this process opens are different", async () => {
  await assertErrors(
    ["-target=ingester", "-server.http-listen-port=9095"],
    "command line: server.rpc_listen_port: port 9095 is server.http_listen_port's too",
  );
  await assertErrors(
    ["-server.rpc-listen-port=7946", "-memberlist.join=a"],
    "command line: memberlist.bind_port: port 7946 is server.rpc_listen_port's too",
  );
  await good(["-server.http-listen-port=9095"]);
  await good([
    "-server.http-listen-port=0",
    "-server.rpc-listen-port=0",
    "-memberlist.bind-port=0",
  ]);
});

test("heartbeats come more often than they are waited for", async () => {
  await assertErrors(
    ["-ingester.ring.heartbeat-period=1m"],
    "command line: -ingester.ring.heartbeat-period: 1m must be less than ingester.ring.heartbeat_timeout (1m), or every instance is unhealthy between two heartbeats",
  );
  await assertErrors(
    ["-distributor.ring.heartbeat-timeout=4s"],
    "command line: distributor.ring.heartbeat_period: 5s must be less than distributor.ring.heartbeat_timeout (4s), or every instance is unhealthy between two heartbeats",
  );
  await assertWarnings(
    ["-ingester.ring.heartbeat-timeout=15s"],
    "command line: -ingester.ring.heartbeat-timeout: 15s is not more than three times ingester.ring.heartbeat_period (5s): one lost message or a clock that is set anew makes an instance unhealthy",
  );
  await assertWarnings(["-ingester.ring.heartbeat-timeout=16s"]);
});

test("with zones every ingester has one; a distributor needs none", async () => {
  const aware = "-ingester.ring.zone-awareness-enabled";
  await assertErrors(
    [aware],
    "command line: ingester.ring.instance_availability_zone: must be set when zone_awareness_enabled is true: an ingester without a zone would share one with all others that have none",
  );
  await good([aware, "-ingester.ring.instance-availability-zone=a"]);
  await good([aware, "-target=distributor"]);
});

test("a certificate needs its key, and certificates of callers need TLS", async () => {
  await assertErrors(
    ["-server.rpc-tls-cert-path=c", "-ingester.client.tls-key-path=k"],
    "command line: server.rpc_tls_config.key_file: must be set when server.rpc_tls_config.cert_file is: a certificate and its key belong together",
    "command line: ingester_client.tls_cert_path: must be set when ingester_client.tls_key_path is: a certificate and its key belong together",
  );
  await assertErrors(
    ["-server.rpc-tls-ca-path=ca"],
    "command line: server.rpc_tls_config.cert_file: must be set when client_ca_file is: certificates of callers need TLS",
  );
});

test("TLS on one side only is doubtful", async () => {
  await assertWarnings(
    ["-server.rpc-tls-cert-path=c", "-server.rpc-tls-key-path=k"],
    "command line: ingester_client.tls_enabled: is false while server.rpc_tls_config asks callers for TLS: this member cannot call others that are configured like it",
  );
  await assertWarnings(
    ["-ingester.client.tls-ca-path=ca", "-ingester.client.tls-enabled=false"],
    "command line: -ingester.client.tls-enabled: is false: the other ingester_client.tls_ keys have no effect",
  );
});

test("an even replication factor tolerates no more than the odd one below it", async () => {
  await assertWarnings(
    ["-ingester.ring.replication-factor=2"],
    "command line: -ingester.ring.replication-factor: with 2 each write needs 2 of 2 ingesters, so 0 may be missing, as many as with 1: an odd number is better",
  );
  await assertWarnings(["-ingester.ring.replication-factor=3"]);
});

test("join backoff goes up", async () => {
  await assertErrors(
    ["-memberlist.min-join-backoff=2m"],
    "command line: -memberlist.min-join-backoff: 2m is more than memberlist.max_join_backoff (1m)",
  );
});

test("keys of the gossip are AES keys; no message and no page says one", async () => {
  const key = "c2l4dGVlbiBieXRlIGtleQ==";
  const flag = "-memberlist.encryption-keys";
  assert.equal(Buffer.from(key, "base64").length, 16);
  const { config } = await good([`${flag}=${key}`, `${flag}=${key.toLowerCase()}`]);
  assert.deepEqual(config.memberlist.encryptionKeys, [key, key.toLowerCase()]);
  for (const mode of ["full", "diff"] as const) {
    const printed = printConfig(config, mode);
    assert.match(printed, /encryption_keys:\n\s+- "\*{8}"\n\s+- "\*{8}"\n/);
    assert.ok(!printed.includes(key));
  }
  await assertErrors(
    [`${flag}=${key},c2hvcnQ=`],
    "command line: -memberlist.encryption-keys: item 2 has 5 bytes, an AES key has 16, 24 or 32: make one with `openssl rand -base64 32`",
  );
  await assertErrors(
    [`${flag}=not base64`],
    "command line: -memberlist.encryption-keys: item 1 is not base64: make a key with `openssl rand -base64 32`",
  );
});

test("all rings are in one store: contradictions between them are told", async () => {
  const file = "distributor: {ring: {kvstore: {store: inmemory}}}";
  assert.equal((await good([], file)).config.ring.store, "inmemory");
  const loaded = await load([], `${file}\ningester: {ring: {kvstore: {store: memberlist}}}`);
  assert.match("errors" in loaded ? loaded.errors.join() : "", /are the same setting/);
});

test("Mimir's list of one bind address is an address", async () => {
  const { config } = await good([], "memberlist: {bind_addr: [10.0.0.1]}");
  assert.equal(config.memberlist.bindAddr, "10.0.0.1");
  const loaded = await load([], "memberlist: {bind_addr: [10.0.0.1, 10.0.0.2]}");
  assert.deepEqual("errors" in loaded ? loaded.errors : [], [
    "m.yaml:1:25: memberlist.bind_addr: must be one string",
  ]);
});

test("an address has no port, a name has no spaces", async () => {
  await assertErrors(
    ["-ingester.ring.instance-addr=http://a/", "-ingester.ring.instance-id=a b"],
    'command line: -ingester.ring.instance-addr: "http://a/" is not an address (an IP address or a host name, without brackets and port)',
    'command line: -ingester.ring.instance-id: "a b" has spaces or more than 255 characters',
  );
});
