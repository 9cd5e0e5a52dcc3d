import { randomBytes } from 'node:crypto';
import { HullError } from '../base/errors.ts';

/** As Docker names a volume that nobody named. */
export const newVolumeName = (): string => randomBytes(32).toString('hex');

/** Docker's rule and words. A name is also a folder's, so the file system's limit holds. Kind `invalid`. */
export function checkVolumeName(name: string): string {
  if (name.length === 1) {
    throw invalid(name, 'volume name is too short, names should be at least two alphanumeric characters');
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw invalid(
      name,
      'it includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    );
  }
  if (name.length > longest)
    throw invalid(name, `found ${name.length} characters, wanted at most ${longest}`);
  return name;
}

function invalid(name: string, reason: string): HullError {
  return new HullError(`Cannot use ${JSON.stringify(name)} as a volume's name: ${reason}`, {
    kind: 'invalid',
  });
}

const longest = 255;
