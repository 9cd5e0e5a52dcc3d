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
 * Answers 101 and takes the connection over where the client asked for it, else 200 with a body that goes on.
 * Output is framed as Docker's "multiplexed stream": stream number, three zeros, length (big endian), data.
 */
export function openConversation({ request, response, socket, signal }: Call): Conversation {
  if (!socket) {
    response.writeHead(200, { 'Content-Type': multiplexed });
    response.flushHeaders();
    return conversation(request, response, signal);
  }
  response.statusCode = 101;
  socket.write(
    `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${multiplexed}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  return conversation(socket, socket, signal);
}

/** Copies chunks until they end or the client leaves. */
export async function writeFramed(
  output: Writable,
  stream: 'stdout' | 'stderr',
  data: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream === 'stdout' ? 1 : 2, 0);
  header.writeUInt32BE(data.length, 4);
  if (output.destroyed) return;
  output.cork();
  output.write(header);
  output.write(data);
  output.uncork();
  // Asked only now: uncork may have told 'drain' already, and nobody would tell it again.
  if (output.writableNeedDrain) await once(output, 'drain', { signal }).catch(() => undefined);
}

export const multiplexed = 'application/vnd.docker.multiplexed-stream';

function conversation(input: Readable, output: Writable, signal: AbortSignal): Conversation {
  output.on('error', () => undefined);
  return {
    input,
    write: async (stream, data) => await writeFramed(output, stream, data, signal),
    end: () => {
      output.end();
    },
  };
}
