import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { type FixtureEntry, tarOf } from '../images/tar-fixture.ts';

/** For tests: what POST /build answered, line by line. */
export interface Answer {
  readonly status: number;
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** All that was streamed. */
  readonly text: string;
  /** Of the last stage; '' where none was told. */
  readonly id: string;
  /** '' for none. */
  readonly error: string;
  readonly exitCode: number | undefined;
}

export interface Sent {
  readonly socketPath: string;
  readonly dockerfile: string;
  readonly files?: readonly FixtureEntry[];
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Hears the stream's text as it comes. */
  readonly hear?: (text: string) => void;
}

/** Builds as a client of the API does. */
export async function build({
  socketPath,
  dockerfile,
  files = [],
  query = {},
  signal,
  hear,
}: Sent): Promise<Answer> {
  const body = await tarOf([{ name: 'Dockerfile', data: dockerfile }, ...files]);
  const path = `/build?${new URLSearchParams(query)}`;
  const call = request({ socketPath, path, method: 'POST', ...(signal && { signal }) });
  const answered = once(call, 'response');
  call.end(body);
  const [response]: IncomingMessage[] = await answered;
  if (!response) throw new Error('unreachable');
  let rest = '';
  const lines: Readonly<Record<string, unknown>>[] = [];
  for await (const chunk of response.setEncoding('utf8')) {
    const [last = '', ...whole] = `${rest}${chunk}`.split('\n').reverse();
    rest = last;
    for (const line of whole.reverse()) {
      lines.push({ ...Object(JSON.parse(line)) });
      hear?.(String(lines.at(-1)?.['stream'] ?? ''));
    }
  }
  return answerOf(response.statusCode ?? 0, lines);
}

function answerOf(status: number, lines: readonly Readonly<Record<string, unknown>>[]): Answer {
  const text = lines.map(({ stream }) => stream ?? '').join('');
  const ids = lines.flatMap(({ aux }) => (aux === undefined ? [] : [String(Object(aux).ID)]));
  const failure = lines.find((line) => 'error' in line || 'message' in line);
  return {
    status,
    lines,
    text,
    id: ids.at(-1) ?? '',
    error: String(failure?.['error'] ?? failure?.['message'] ?? ''),
    exitCode: Object(failure?.['errorDetail']).code,
  };
}
