import koffi from 'koffi';
import { SystemError, type SystemErrorFields } from '../base/errors.ts';

/** What goes through a C prototype: numbers, 64-bit numbers, strings (UTF-8, NUL added), buffers, `null` pointers. */
export type NativeValue = number | bigint | string | Uint8Array | readonly (string | null)[] | null;

/** What a function answered, with the errno that belongs to it: 0 unless it answered -1. */
export interface Outcome {
  readonly value: number;
  readonly errno: number;
}

export type NativeFunction<Args extends readonly NativeValue[]> = (...args: Args) => Outcome;

let libc: ReturnType<typeof koffi.load> | undefined;

/**
 * A libc function by its C prototype. errno is read in the statement right after the call: anything in between,
 * even an allocation, may change it. A variadic function takes the prototype of the one use that is meant.
 *
 * @example
 * const mount = bindLibc<[string, string, string, bigint, string | null]>(
 *   'int mount(const char *, const char *, const char *, unsigned long, const char *)',
 * );
 * // mount(2)
 * export function mountAt(source: string, path: string, …): void {
 *   check(mount(source, path, …), { syscall: 'mount', path: source, dest: path });
 * }
 */
export function bindLibc<Args extends readonly NativeValue[]>(prototype: string): NativeFunction<Args> {
  // Most starts call few of them: each costs a parse of its prototype.
  let bound: ((...args: Args) => unknown) | undefined;
  return (...args) => {
    libc ??= koffi.load('libc.so.6');
    bound ??= libc.func(prototype) as (...args: Args) => unknown;
    const value: unknown = bound(...args);
    const errno = koffi.errno();
    const number = Number(value);
    return { value: number, errno: number === -1 ? errno : 0 };
  };
}

/** The answer, or a SystemError where it was -1. */
export function check(outcome: Outcome, fields: Omit<SystemErrorFields, 'errno'>): number {
  if (outcome.value !== -1) return outcome.value;
  throw new SystemError({ ...fields, errno: outcome.errno });
}
