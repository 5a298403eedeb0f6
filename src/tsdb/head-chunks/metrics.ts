import { Counter, type Registry } from "prom-client";

/** Metrics of the head-chunk files of all tenants of a process. */
export type HeadChunkMetrics = ReturnType<typeof headChunkMetrics>;

export function headChunkMetrics(registry: Registry) {
  const registers = [registry];
  return {
    writtenBytes: new Counter({
      name: "muninn_head_chunks_written_bytes_total",
      help: "Bytes written to head-chunk files.",
      registers,
    }),
    writesFailed: new Counter({
      name: "muninn_head_chunks_writes_failed_total",
      help: "Writes of head-chunk files that failed; each one is tried again.",
      registers,
    }),
    readBytes: new Counter({
      name: "muninn_head_chunks_read_bytes_total",
      help: "Bytes read from head-chunk files, gaps between the chunks wanted included.",
      registers,
    }),
    reads: new Counter({
      name: "muninn_head_chunks_reads_total",
      help: "Reads of head-chunk files; each takes in all wanted chunks that lie close together.",
      registers,
    }),
  };
}
