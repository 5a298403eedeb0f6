/** A worker file for tests of the pool. */
import { move } from "piscina";

export interface TestJob {
  readonly do: "sum" | "throw" | "spin" | "exit" | "thread";
  readonly bytes?: Uint8Array;
}

export default function run(job: TestJob): unknown {
  switch (job.do) {
    case "sum": {
      const bytes = job.bytes ?? new Uint8Array();
      const sum = bytes.reduce((total, byte) => total + byte, 0);
      return move(Uint8Array.of(sum));
    }
    case "throw":
      throw new RangeError("as asked");
    case "spin":
      for (;;) job.bytes?.fill(1);
    case "exit":
      return process.exit(3);
    case "thread":
      return "here";
  }
}
