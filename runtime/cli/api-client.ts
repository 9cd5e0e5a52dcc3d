import { request } from 'node:http';
import { HullError } from '../base/errors.ts';

/** One GET to the daemon. Kind `unavailable` where nobody listens; the daemon's own message otherwise. */
export async function getJson(socketPath: string, path: string): Promise<unknown> {
  const { status, text } = await get(socketPath, path);
  const body: unknown = JSON.parse(text);
  if (status < 400) return body;
  const message =
    typeof body === 'object' && body !== null && 'message' in body
      ? String(body.message)
      : `status ${status}`;
  throw new HullError(message, { kind: status === 404 ? 'not-found' : 'internal' });
}

function get(socketPath: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
      response.on('error', reject);
    });
    call.on('error', (cause) =>
      reject(
        new HullError(`Cannot reach the daemon at unix://${socketPath}: ${cause.message}`, {
          kind: 'unavailable',
          cause,
          hint: 'Is `hull daemon` running, and is this user allowed to use its socket?',
        }),
      ),
    );
    call.end();
  });
}
