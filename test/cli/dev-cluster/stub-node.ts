/** Stands in for a node in tests of what runs the nodes: is ready, ends on SIGTERM, crashes when /crash is asked for. */
import { createServer } from "node:http";

const flags = new Map(
  process.argv.slice(2).map((word) => word.replace(/^-/, "").split("=") as [string, string]),
);
if (flags.has("stub.broken")) {
  process.stderr.write("cannot start\n");
  process.exit(4);
}
const server = createServer((request, response) => {
  response.end(request.url === "/ready" ? "ready" : "");
  if (request.url === "/crash") process.exit(3);
});
server.listen(Number(flags.get("server.http-listen-port")), "127.0.0.1");
process.on("SIGTERM", () => {
  process.stdout.write("bye\n");
  process.exit(0);
});
