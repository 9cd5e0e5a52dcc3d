import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { HullError } from '../base/errors.ts';

/** One GET to the daemon. Kind `unavailable` where nobody listens; the daemon's own message otherwise. */
export async function getJson(socketPath: string, path: string): Promise<unknown> {
  const response = await send(socketPath, 'GET', path);
  await expectSuccess(response);
  return JSON.parse(await text(response));
}

/** The same for an answer that is no JSON. */
export async function getStream(socketPath: string, path: string): Promise<IncomingMessage> {
  const response = await send(socketPath, 'GET', path);
  await expectSuccess(response);
  return response;
}

/** One call with a body of JSON, or none; the answer's JSON, or undefined where it has none. */
export async function call(
  socketPath: string,
  method: 'POST' | 'DELETE',
  path: string,
  body?: object,
): Promise<unknown> {
  const bytes = body && [Buffer.from(JSON.stringify(body))];
  const headers: Record<string, string> = body ? { 'Content-Type': 'application/json' } : {};
  const response = await send(socketPath, method, path, headers, bytes && Readable.from(bytes));
  await expectSuccess(response);
  const answer = await text(response);
  return answer === '' ? undefined : JSON.parse(answer);
}

/** What went wrong in the middle of an answer. */
export class FailedAnswer extends HullError {
  /** Of the command that failed, where it was one. */
  readonly exitCode: number | undefined;

  constructor(line: { readonly error: unknown; readonly errorDetail?: { readonly code?: number } }) {
    super(String(line.error), { kind: 'internal' });
    this.exitCode = line.errorDetail?.code;
  }
}

/** One POST; hears each line of JSON of the answer. An error among them is thrown (FailedAnswer). */
export async function postLines(
  socketPath: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  hear: (line: object) => void,
  body?: AsyncIterable<Uint8Array>,
): Promise<void> {
  const response = await send(socketPath, 'POST', path, headers, body);
  await expectSuccess(response);
  for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === '') continue;
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) continue;
    if ('error' in value) throw new FailedAnswer(value);
    hear(value);
  }
  if (!response.complete) {
    throw new HullError(`Cannot follow the daemon at unix://${socketPath}: its answer was cut`, {
      kind: 'unavailable',
    });
  }
}

async function expectSuccess(response: IncomingMessage): Promise<void> {
  const { statusCode: status = 0 } = response;
  if (status < 400) return;
  const body: unknown = JSON.parse(await text(response));
  const message =
    typeof body === 'object' && body !== null && 'message' in body
      ? String(body.message)
      : `status ${status}`;
  throw new HullError(message, { kind: status === 404 ? 'not-found' : 'internal' });
}

function send(
  socketPath: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: AsyncIterable<Uint8Array>,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method, headers }, resolve);
    call.on('error', (cause) =>
      reject(
        new HullError(`Cannot reach the daemon at unix://${socketPath}: ${cause.message}`, {
          kind: 'unavailable',
          cause,
          hint: 'Is `hull daemon` running, and is this user allowed to use its socket?',
        }),
      ),
    );
    if (!body) call.end();
    else {
      const source = Readable.from(body, { objectMode: false });
      // A daemon that refuses answers before it has read everything: the answer counts, then.
      source.on('error', (error) => call.destroy(error)).pipe(call);
    }
  });
}
