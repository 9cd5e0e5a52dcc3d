import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** What kind of trouble an error is; exactly one function (daemon/http-errors) maps kinds to HTTP status. */
export type ErrorKind =
  | 'not-found'
  | 'conflict'
  | 'invalid'
  | 'unsupported'
  | 'busy'
  | 'not-modified'
  | 'exhausted'
  | 'unavailable'
  | 'unauthorized'
  | 'forbidden'
  | 'internal';

export interface HullErrorOptions {
  readonly kind: ErrorKind;
  /** What the reader can do about it, as one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error of the domain. Text: `Cannot <action> <object>: <reason>`, with the value found and the value wanted. */
export class HullError extends Error {
  override readonly name: string = 'HullError';
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(message: string, options: HullErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = options.kind;
    this.hint = options.hint;
  }
}

export interface SystemErrorFields {
  /** The positive errno value. */
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;
  /** What was being done, in words: `mount "proc" at "/proc"`. */
  readonly op?: string;
}

/**
 * A failed system call, shaped as Node's own: `code`, `errno` (negative, as Node has it), `syscall`, `path`, `dest`.
 */
export class SystemError extends Error {
  override readonly name: string = 'SystemError';
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path: string | undefined;
  readonly dest: string | undefined;

  constructor(fields: SystemErrorFields, cause?: unknown) {
    const code = errnoName(fields.errno);
    const what = fields.op ?? describeCall(fields);
    super(
      `Cannot ${what}: ${code} (${errnoText(fields.errno)})`,
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    this.errno = -fields.errno;
    this.syscall = fields.syscall;
    this.path = fields.path;
    this.dest = fields.dest;
  }
}

/** `ENOENT` for 2. An unknown number is given as `E<number>`. */
export function errnoName(errno: number): string {
  return namesByErrno.get(errno) ?? `E${errno}`;
}

/** The kernel's number for a name, or undefined: 2 for `ENOENT`. */
export function errnoNumber(name: string): number | undefined {
  return numbersByName.get(name);
}

/** libuv's words for an errno: `no such file or directory`. */
export function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? 'unknown error';
}

/** The `code` of a Node, SystemError or other coded error, or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (error === null || typeof error !== 'object' || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Runs `action`; answers undefined where the thing is not there (ENOENT). */
export async function ifExists<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Never loses the first error: the later one is added to it, not put on top. */
export function joinErrors(first: unknown, later: unknown): Error {
  const main = first instanceof Error ? first : new Error(String(first));
  const errors = main instanceof AggregateError ? [...main.errors, later] : [main, later];
  return new AggregateError(errors, main.message, { cause: main });
}

function describeCall({ syscall, path, dest }: SystemErrorFields): string {
  return [syscall, path && JSON.stringify(path), dest && `to ${JSON.stringify(dest)}`]
    .filter(Boolean)
    .join(' ');
}

const numbersByName: ReadonlyMap<string, number> = new Map(Object.entries(constants.errno));

// EWOULDBLOCK and EOPNOTSUPP share numbers with EAGAIN and ENOTSUP; the first name of a number wins.
const namesByErrno: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
);
