import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Node ends an upgraded request at its headers, while `docker exec` sends a JSON body with it. Answers the request
 * with that body (its Content-Length of bytes) to read; what follows stays on the socket for the conversation.
 */
export async function takeBody(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<IncomingMessage> {
  const length = Number(request.headers['content-length'] ?? 0);
  const chunks: Buffer[] = [head];
  let size = head.length;
  while (size < length) {
    const chunk = await nextChunk(socket);
    if (!chunk) break;
    chunks.push(chunk);
    size += chunk.length;
  }
  let all = Buffer.concat(chunks);
  // A client that announced chunks and has nothing to send closes with an empty one.
  if (request.headers['transfer-encoding'] && all.subarray(0, emptyChunk.length).equals(emptyChunk)) {
    all = all.subarray(emptyChunk.length);
  }
  if (all.length > length) socket.unshift(all.subarray(length));
  // A request of its own that is fed by hand: the original has ended without a body.
  const whole = new IncomingMessage(new Socket());
  whole.headers = request.headers;
  whole.method = request.method ?? 'POST';
  whole.url = request.url ?? '/';
  if (length > 0) whole.push(all.subarray(0, length));
  whole.push(null);
  return whole;
}

const emptyChunk = Buffer.from('0\r\n\r\n');

function nextChunk(socket: Duplex): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const settle = (deliver: () => void) => {
      socket.off('readable', read).off('end', end).off('error', fail);
      deliver();
    };
    const read = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk) settle(() => resolve(chunk));
    };
    const end = () => settle(() => resolve(undefined));
    const fail = (error: Error) => settle(() => reject(error));
    socket.on('readable', read).on('end', end).on('error', fail);
  });
}
