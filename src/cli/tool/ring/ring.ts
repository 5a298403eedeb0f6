/** `muninn tool ring`: its verbs. */
import { CommandError, type CommandMachine, type ExitCode } from "../../command.ts";
import { evict } from "./evict.ts";
import { list, status } from "./list.ts";
import { parseRingArguments, type RingArguments } from "./ring-arguments.ts";
import { verify } from "./verify.ts";

type Verb = (ringArguments: RingArguments, machine: CommandMachine) => Promise<ExitCode>;

const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ["list", list],
  ["status", status],
  ["evict", evict],
  ["verify", verify],
]);

export const RING_HELP = `Usage: muninn tool ring <list|status|evict|verify> [flags]

  list      every instance: state, zone, address, heartbeat, tokens, share of the ring
  status    the ring in some lines: states, zones, quorum
  evict     take an instance out of the ring that will not come back
  verify    status 1 and the reasons if something is wrong with the ring

For all of them:
  --url=URL            HTTP address of a member (default http://localhost:8080, or MUNINN_URL, with commas for several).
                       May be repeated: the first one that answers is asked; evict waits for all of them, verify compares them.
  --ring-name=NAME     ingester (default), distributor, store-gateway, compactor, querier, query-frontend
  --json               JSON on standard output

For evict:
  --instance-id=ID     the instance, as list shows it
  --address=HOST:PORT  its address, as list shows it: nothing happens if it is another one
  --force              also if it is alive, or quorum suffers
  --dry-run            say what would happen, and change nothing
  --timeout=30s        how long to wait until all members that were named know

Status: 0 done, or nothing is wrong; 1 refused, or something is wrong; 2 the question could not be asked.`;

export async function ringTool(
  argv: readonly string[],
  machine: CommandMachine,
): Promise<ExitCode> {
  const [verb = "", ...rest] = argv;
  const run = VERBS.get(verb);
  if (run === undefined) {
    throw new CommandError(`${verb === "" ? "" : `unknown verb "${verb}"\n\n`}${RING_HELP}`);
  }
  return await run(parseRingArguments(verb, rest, machine), machine);
}
