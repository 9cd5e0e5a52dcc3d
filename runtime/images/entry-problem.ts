import { codeOf, type ErrorKind, HullError } from '../base/errors.ts';
import { showName, type TarHeader } from './tar-header.ts';

/** What is wrong with an entry, as `found …, wanted …`; `explainEntry` adds which entry it is. */
export class EntryProblem extends Error {}

/** The error of an entry as its reader gets it: always with the entry's name, and a kind. */
export function explainEntry(error: unknown, { name, type }: TarHeader): HullError {
  if (error instanceof HullError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const what = `Cannot unpack ${type} ${showName(name)}: ${reason}`;
  if (error instanceof EntryProblem) return new HullError(what, { kind: 'invalid' });
  return new HullError(what, { kind: kinds[codeOf(error) ?? ''] ?? 'internal', cause: error });
}

const kinds: Readonly<Record<string, ErrorKind>> = {
  ENOSPC: 'exhausted',
  EDQUOT: 'exhausted',
  ENAMETOOLONG: 'invalid',
  ENOTSUP: 'unsupported',
};
