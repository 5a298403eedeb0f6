// Everything that the host may call. One line per file, so that work on one does not touch another.
export { alloc, memoryUsed } from "./memory";
export { crc32c } from "./crc32c";
