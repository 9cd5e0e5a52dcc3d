import { decodeWaitStatus } from '../sys/process.ts';
import type { ExitRecord } from './types.ts';

/**
 * The file `exit` of a run folder: six 64-bit words (magic, wait status, seconds and nanoseconds of the exit,
 * dropped log frames, the monitor's pid), then the boot id as text, padded to 40 bytes. Written beside its place
 * and renamed, so it is whole or absent.
 */
export const exitRecordSize = 88;
export const exitRecordMagic = 0x5449584c4c5548n;
/** Offsets. */
export const exitField = { status: 8, time: 16, dropped: 32, monitorPid: 40, bootId: 48 } as const;

/** Undefined for bytes that are no exit record. */
export function parseExitRecord(bytes: Buffer): ExitRecord | undefined {
  if (bytes.length !== exitRecordSize || bytes.readBigUInt64LE(0) !== exitRecordMagic) return undefined;
  const word = (offset: number) => Number(bytes.readBigInt64LE(offset));
  const nanoseconds = String(word(exitField.time + 8)).padStart(9, '0');
  const seconds = new Date(word(exitField.time) * 1000).toISOString().slice(0, 19);
  return {
    ...decodeWaitStatus(bytes.readInt32LE(exitField.status)),
    droppedFrames: word(exitField.dropped),
    exitedAt: `${seconds}.${nanoseconds}Z`,
    bootId: bytes.toString('latin1', exitField.bootId, exitField.bootId + 36),
  };
}
