import { watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ifExists } from '../base/errors.ts';
import type { LogFrame } from './types.ts';

/**
 * A container's log is a row of frames: magic (u32), stream (u32), seconds and nanoseconds of the clock when it was
 * read (i64 each), length of the data (u64), data. Little-endian.
 */
export const frameHeaderSize = 32;
export const frameMagic = 0x464c5548n;
export const streamNumber = { stdout: 1, stderr: 2 } as const;
const longestFrame = 65536;

export interface ReadLogOptions {
  /** Go on with what is appended, until `ended` or `signal`. Default false. */
  readonly follow?: boolean;
  /** Stop now; the iteration ends without an error. */
  readonly signal?: AbortSignal;
  /** The writer is gone: give what is still there, then end. */
  readonly ended?: AbortSignal;
  /** Number of frames to pass over without reading their data. */
  readonly skip?: number;
}

/** The frames of a container's log from its beginning. An absent log is empty; one that is open is closed at the end. */
export async function* readLogFrames(
  log: string | FileHandle,
  options: ReadLogOptions = {},
): AsyncGenerator<LogFrame> {
  const file = typeof log === 'string' ? await ifExists(open(log, 'r')) : log;
  if (!file) return;
  try {
    // By the descriptor: the log may have gone with its container, and is read all the same.
    using changes = options.follow
      ? new Changes(`/proc/self/fd/${file.fd}`, options.signal, options.ended)
      : undefined;
    let offset = 0;
    let toSkip = options.skip ?? 0;
    for (;;) {
      // Asked before reading: what was written before the end is then seen by this round.
      const last = !changes || changes.ended;
      for (;;) {
        if (options.signal?.aborted) return;
        const header = await readAt(file, offset, frameHeaderSize);
        if (header.length < frameHeaderSize) break;
        const frame = parseHeader(header);
        if (!frame) {
          offset = await nextFrame(file, offset + 1);
          continue;
        }
        if (toSkip > 0) {
          toSkip -= 1;
          offset += frameHeaderSize + frame.length;
          continue;
        }
        const data = await readAt(file, offset + frameHeaderSize, frame.length);
        if (data.length < frame.length) break;
        offset += frameHeaderSize + frame.length;
        yield { stream: frame.stream, time: frame.time, data };
      }
      if (last || options.signal?.aborted) return;
      await changes.next();
    }
  } finally {
    await file.close();
  }
}

interface FrameHeader {
  readonly stream: LogFrame['stream'];
  readonly time: bigint;
  readonly length: number;
}

/** Undefined where no frame begins here. */
export function parseHeader(bytes: Buffer): FrameHeader | undefined {
  const stream = bytes.readUInt32LE(4);
  const length = bytes.readBigUInt64LE(24);
  if (BigInt(bytes.readUInt32LE(0)) !== frameMagic || stream < 1 || stream > 2 || length > longestFrame)
    return undefined;
  return {
    stream: stream === streamNumber.stdout ? 'stdout' : 'stderr',
    time: bytes.readBigInt64LE(8) * 1_000_000_000n + bytes.readBigInt64LE(16),
    length: Number(length),
  };
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/**
 * Where the next frame begins after bytes that are none: a power cut may leave half a frame at the end of a log
 * that a later start appends to.
 */
async function nextFrame(file: FileHandle, from: number): Promise<number> {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(Number(frameMagic));
  for (let offset = from; ; ) {
    const bytes = await readAt(file, offset, longestFrame);
    const found = bytes.indexOf(magic);
    if (found >= 0) return offset + found;
    if (bytes.length < longestFrame) return offset + Math.max(bytes.length - magic.length + 1, 0);
    offset += bytes.length - magic.length + 1;
  }
}

/** Changes of a file, none lost between two waits. */
class Changes implements Disposable {
  readonly #watcher;
  readonly #ended: AbortSignal | undefined;
  readonly #forget = new AbortController();
  #pending = false;
  #wake: (() => void) | undefined;

  constructor(path: string, signal: AbortSignal | undefined, ended: AbortSignal | undefined) {
    const changed = () => {
      this.#pending = true;
      this.#wake?.();
    };
    this.#ended = ended;
    this.#watcher = watch(path, { persistent: false }, changed);
    this.#watcher.on('error', changed);
    for (const source of [signal, ended])
      source?.addEventListener('abort', changed, { signal: this.#forget.signal });
  }

  get ended(): boolean {
    return this.#ended?.aborted ?? false;
  }

  async next(): Promise<void> {
    if (!this.#pending) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#pending = false;
    this.#wake = undefined;
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
    this.#forget.abort();
  }
}
