// Everything that the host may call. One line per file, so that work on one does not touch another.

export { bufferAddress, bufferLength, newBuffer, resetBuffer } from "./buffer";
export { framesAddress, framesLength, resetFrames, setFramePosition } from "./closed-chunks";
export {
  columnCount,
  columnTimes,
  columnValues,
  inputArea,
  outputArea,
  reserveColumns,
  setColumnCount,
  tableArea,
} from "./columns";
export { crc32c } from "./crc32c";
export { murmur3To } from "./hash";
export {
  appendBatch,
  closeIdleSlice,
  countActive,
  entriesAddress,
  entriesLength,
  finishTruncate,
  initHead,
  maxTime,
  minTime,
  replayRows,
  reportAddress,
  resetOutput,
  rowsAddress,
  rowsLength,
  takeSkippedRows,
  truncatedBefore,
  truncateSlice,
  unknownAddress,
  unknownLength,
} from "./head";
export { clearHaPairs, forgetHaPairs } from "./ha-pairs";
export { collect, collectLabels, columnAddress, columnLength, endCollect } from "./head-collect";
export { exportPairs, exportSeries, replayEntries } from "./head-entries";
export {
  clearKnownSeries,
  knownSeriesCount,
  knownSeriesLimit,
  sweepKnownSeries,
} from "./known-series";
export {
  findName,
  findPair,
  listPairs,
  nameCount,
  namePairCount,
  nameRecord,
  pairEnd,
  pairLive,
  pairRecord,
  setIndexSeed,
  symbolTableBytes,
} from "./label-index";
export { alloc, allocArea, memoryUsed, releaseArea } from "./memory";
export { appendFrame, appendFrameGuardsIntact } from "./push-frame-decode";
export {
  encodeAllRows,
  encodeChosenRows,
  frameAddress,
  frameCapacity,
  frameGuardsIntact,
  frameRowsInput,
} from "./push-frame-encode";
export {
  intake,
  intakeGuardsIntact,
  intakeInput,
  intakeLargestBuffer,
  intakeOutput,
  intakeStart,
} from "./remote-write";
export { seriesEnd, seriesLive } from "./series";
export { snappyDecode } from "./snappy";
export { runWindow } from "./window";
export { decodeSeries } from "./xor-decode";
