import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { Call } from './call.ts';

/** A connection that carries the streams of a process, after the HTTP part is over. */
export interface Conversation {
  readonly input: Readable;
  /** Resolves when the client can take more. */
  write(stream: 'stdout' | 'stderr', data: Buffer): Promise<void>;
  end(): void;
}

/**
 * Answers 101 and takes the connection over where the client asked for it, else 200 with a body that goes on. A terminal's
 * output is sent as it is (`raw`); else it is framed as Docker's "multiplexed stream": stream number, three zeros, length
 * (big endian), data.
 */
export function openConversation({ request, response, socket, signal }: Call, raw: boolean): Conversation {
  const type = contentType(raw);
  const output = socket ?? response;
  if (socket) {
    response.statusCode = 101;
    socket.write(
      `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
  } else {
    response.writeHead(200, { 'Content-Type': type });
    response.flushHeaders();
  }
  output.on('error', () => undefined);
  return {
    input: socket ?? request,
    write: async (stream, data) =>
      raw ? await writeRaw(output, data, signal) : await writeFramed(output, stream, data, signal),
    end: () => {
      output.end();
    },
  };
}

export function contentType(raw: boolean): string {
  return `application/vnd.docker.${raw ? 'raw' : 'multiplexed'}-stream`;
}

/** Resolves when the client can take more, or has left. */
export async function writeRaw(output: Writable, data: Buffer, signal: AbortSignal): Promise<void> {
  if (output.destroyed || output.writableEnded) return;
  output.write(data);
  await drained(output, signal);
}

/** The same with the stream's name and the length before it. */
export async function writeFramed(
  output: Writable,
  stream: 'stdout' | 'stderr',
  data: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream === 'stdout' ? 1 : 2, 0);
  header.writeUInt32BE(data.length, 4);
  if (output.destroyed || output.writableEnded) return;
  output.cork();
  output.write(header);
  output.write(data);
  output.uncork();
  await drained(output, signal);
}

/** Asked only after the write: uncork may have told 'drain' already, and nobody would tell it again. */
async function drained(output: Writable, signal: AbortSignal): Promise<void> {
  if (output.writableNeedDrain) await once(output, 'drain', { signal }).catch(() => undefined);
}
