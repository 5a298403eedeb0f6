/**
 * The push frame (docs/formats/push-frame.md): what its encoder (push-frame-encode.ts, in the intake) and its decoder
 * (push-frame-decode.ts, in a head) share. The columns of fixed width come first, so their places follow from the header:
 *
 *      0 magic u32 · 4 version u16 · 6 flags u16 · 8 series u32 · 12 samples u32 · 16 label bytes u32
 *     20 ids 16 B/series | values f64/sample | sample counts varint/series, unless FLAG_ONE_SAMPLE
 *        | times zigzag varint/sample | label lengths varint/series, if there are label bytes | label bytes | CRC-32C u32
 */

/** "MNPF", read as a little-endian number. */
export const MAGIC: u32 = 0x46504e4d;
export const VERSION: u32 = 1;
export const FLAG_ONE_SAMPLE: u32 = 1;

export const HEADER_BYTES: u32 = 20;
export const CRC_BYTES: u32 = 4;
