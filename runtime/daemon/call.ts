import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { HullError } from '../base/errors.ts';

/** One request on its way through a handler. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: URLSearchParams;
  /** Aborted when the client leaves, or the daemon ends. */
  readonly signal: AbortSignal;
  /** The raw connection, where the client asked to take it over (`Upgrade: tcp`). */
  readonly socket: Duplex | undefined;
}

/** What a handler answers; undefined where it has written the response itself. */
export type Reply =
  | { readonly status?: number; readonly json: unknown }
  | { readonly status: number; readonly text?: string }
  | undefined;

export type Handler = (call: Call) => Promise<Reply> | Reply;

/** A path parameter that the route has. */
export function param(call: Call, name: string): string {
  const value = call.params[name];
  if (value === undefined || value === '') {
    throw new HullError(`Cannot answer ${call.request.url}: no ${name} in the path`, { kind: 'invalid' });
  }
  return value;
}

/** Docker's truth: anything but '', 0, no, false and none. */
export function flagOf(query: URLSearchParams, name: string, absent = false): boolean {
  const value = query.get(name);
  if (value === null) return absent;
  return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
}

/** A whole number, or undefined where it is not given. Kind `invalid` names the parameter. */
export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  const number = Number(value);
  if (Number.isInteger(number)) return number;
  throw new HullError(
    `Cannot use query parameter ${name}: found ${JSON.stringify(value)}, wanted a whole number`,
    {
      kind: 'invalid',
    },
  );
}

/** `filters={"label":["a=b"]}` or its older form `{"label":{"a=b":true}}`. Kind `invalid` names an unknown one. */
export function filtersOf(
  query: URLSearchParams,
  known: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const text = query.get('filters');
  if (!text) return new Map();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw badFilters(text);
  }
  if (typeof parsed !== 'object' || parsed === null) throw badFilters(text);
  const pairs = Object.entries(parsed).map(([name, value]): [string, string[]] => {
    if (!known.includes(name)) {
      throw new HullError(`Cannot filter by ${JSON.stringify(name)}: wanted one of ${known.join(', ')}`, {
        kind: 'invalid',
      });
    }
    if (Array.isArray(value)) return [name, value.map(String)];
    if (typeof value === 'object' && value !== null) return [name, Object.keys(value)];
    throw badFilters(text);
  });
  return new Map(pairs);
}

/** The parsed JSON body; undefined where there is none. Kind `invalid` for anything else. */
export async function jsonBody({ request }: Call): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > maxBody) {
      throw new HullError(`Cannot read the request: its body is above ${maxBody} bytes`, { kind: 'invalid' });
    }
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new HullError('Cannot read the request: its body is not JSON', { kind: 'invalid', cause });
  }
}

function badFilters(text: string): HullError {
  return new HullError(
    `Cannot use query parameter filters: found ${text}, wanted JSON as {"name":["value"]}`,
    {
      kind: 'invalid',
    },
  );
}

const maxBody = 4 * 1024 * 1024;
