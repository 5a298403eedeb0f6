/** The disk runs full while Muninn is being written to: 5xx, nothing acknowledged lost, and no restart needed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Muninn } from "./harness/muninn.ts";
import { pollUntil } from "./harness/poll.ts";
import { Api } from "./harness/query.ts";
import { unlessRoot } from "./harness/requirements.ts";
import { SmallDisk } from "./harness/small-disk.ts";
import { RecordingWriter } from "./harness/writer.ts";

const TENANT = "full";
const FLAGS = [
  "-distributor.ingestion-rate-limit=10000000",
  "-distributor.ingestion-burst-size=10000000",
];

test("full disk: writes are refused, then go on by themselves", {
  skip: unlessRoot(),
}, async () => {
  await using disk = await SmallDisk.mount(64);
  const dataDirectory = `${disk.path}/data`;
  const writer = new RecordingWriter({
    tenant: TENANT,
    metric: "written",
    connections: 2,
    seriesPerRequest: 200,
    startMs: Date.now() - 3_600_000,
    stepMs: 100,
  });
  {
    await using muninn = await Muninn.start({ dataDirectory, flags: FLAGS });
    const api = new Api(`${muninn.url}/prometheus`, TENANT);

    await writeUntil(writer, muninn, 20);
    disk.fill(256 * 1024);
    await writer.run(muninn, { refused: true });
    const statuses = [...writer.refusals.keys()];
    assert.ok(statuses.length > 0, "the disk is full and writes go on");
    assert.ok(
      statuses.every((status) => status === "500" || status === "503"),
      `refused with ${statuses.join(", ")}: ${writer.lastRefusal}`,
    );
    assert.match(writer.lastRefusal, /ENOSPC|no space|disk/i, "the answer says why");

    // What was acknowledged can still be read, and a second attempt is refused just the same.
    await writer.verify(api);
    await writer.run(muninn, { refused: true });
    assert.equal(muninn.program.exit, undefined, "it is still running");

    disk.free();
    await pollUntil("writes to be taken again", 30_000, async () => {
      const answer = await muninn.push(TENANT, [
        { labels: { __name__: "probe" }, samples: [{ timestampMs: Date.now(), value: 1 }] },
      ]);
      return answer.status === 200 ? true : undefined;
    });
    const before = writer.acknowledgedRequests;
    await writeUntil(writer, muninn, before + 20);
    await writer.verify(api);
    await muninn.stop("SIGKILL");
  }
  await using muninn = await Muninn.start({ dataDirectory, flags: FLAGS });
  await writer.verify(new Api(`${muninn.url}/prometheus`, TENANT));
  const { body } = await muninn.request("/metrics");
  assert.match(
    body,
    /^cortex_ingester_tsdb_wal_corruptions_total 0$/m,
    "no torn records in between",
  );
});

async function writeUntil(
  writer: RecordingWriter,
  muninn: Muninn,
  requests: number,
): Promise<void> {
  const writing = writer.run(muninn);
  while (writer.acknowledgedRequests < requests) {
    // A writer that stops early has been refused; waiting for acknowledgements would never end.
    const event = await Promise.race([
      writer.nextAcknowledgement().then(() => "acknowledged"),
      writing.then(() => "stopped"),
    ]);
    assert.equal(event, "acknowledged", writer.lastRefusal);
  }
  writer.stop();
  await writing;
}
