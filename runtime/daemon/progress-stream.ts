import type { Call } from './call.ts';
import { toHttpFailure } from './http-errors.ts';

/**
 * Answers lines of JSON as they come. An error before the first line is an HTTP status; after it, it is a line too, as Docker's
 * clients expect. A client that reads slowly misses some bytes of progress, and nothing else.
 */
export async function streamLines(
  { response }: Call,
  work: (write: (line: object) => void) => Promise<void>,
): Promise<void> {
  const write = (line: object) => {
    if (response.destroyed) return;
    if (response.writableNeedDrain && isBytes(line)) return;
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/json' });
    response.write(`${JSON.stringify(line)}\n`);
  };
  try {
    await work(write);
  } catch (error) {
    if (!response.headersSent) throw error;
    const { message } = toHttpFailure(error);
    write({ errorDetail: { message }, error: message });
  }
  if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end();
}

function isBytes(line: object): boolean {
  return 'progressDetail' in line && Object.keys(line.progressDetail ?? {}).length > 0;
}
