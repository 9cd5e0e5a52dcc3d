import { frameHeaderSize, frameMagic, streamNumber } from './log-frames.ts';

/** For tests: what a monitor appends to a log. */
export function logFrame(stream: 'stdout' | 'stderr', text: string, seconds = 1n): Buffer {
  const header = Buffer.alloc(frameHeaderSize);
  header.writeUInt32LE(Number(frameMagic), 0);
  header.writeUInt32LE(streamNumber[stream], 4);
  header.writeBigInt64LE(seconds, 8);
  header.writeBigInt64LE(5n, 16);
  header.writeBigUInt64LE(BigInt(Buffer.byteLength(text)), 24);
  return Buffer.concat([header, Buffer.from(text)]);
}
