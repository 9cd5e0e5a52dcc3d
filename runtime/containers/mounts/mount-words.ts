import { posix } from 'node:path';
import { HullError } from '../../base/errors.ts';

/** What may stand behind the second colon of a bind, at most one of each group, as Docker has it. */
const groups = {
  access: ['rw', 'ro'],
  // Relabelling for SELinux: hull runs without labels, where there is nothing to do.
  label: ['z', 'Z'],
  propagation: ['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared'],
  copy: ['nocopy'],
  // For file sharing into a virtual machine.
  consistency: ['consistent', 'cached', 'delegated'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export const propagationWords: readonly string[] = groups.propagation;

export interface BindMode {
  readonly readOnly: boolean;
  /** Undefined where none is asked for. */
  readonly propagation: string | undefined;
  readonly noCopy: boolean;
}

/** The words of a mode; undefined where Docker would refuse it. '' is one without words. */
export function parseMode(mode: string): BindMode | undefined {
  const words = mode === '' ? [] : mode.split(',');
  const known = Object.values(groups);
  if (words.some((word) => !known.some((group: readonly string[]) => group.includes(word)))) return undefined;
  if (known.some((group: readonly string[]) => words.filter((word) => group.includes(word)).length > 1)) {
    return undefined;
  }
  return {
    readOnly: words.includes('ro'),
    propagation: words.find((word) => propagationWords.includes(word)),
    noCopy: words.includes('nocopy'),
  };
}

/** The mount point without dots and a slash at its end. The reason it is refused, in Docker's words, comes as an error of kind `invalid`. */
export function cleanTarget(target: string): string {
  if (target === '') throw invalidMount('field Target must not be empty');
  if (!target.startsWith('/'))
    throw invalidMount(`invalid mount path: '${target}' mount path must be absolute`);
  const clean = cleanPath(target);
  if (clean === '/') throw invalidMount("invalid specification: destination can't be '/'");
  return clean;
}

export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

export function invalidMount(reason: string): HullError {
  return new HullError(`Cannot create a container: ${reason}`, { kind: 'invalid' });
}
