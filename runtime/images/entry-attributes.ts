import { chmodSync, lchownSync } from 'node:fs';
import { codeOf } from '../base/errors.ts';
import { setRawTimes, setRawXattr } from '../sys/raw-path.ts';
import { EntryProblem } from './entry-problem.ts';
import { type FileTime, showName, type TarHeader } from './tar-header.ts';

/**
 * Owner, mode and attributes of a file that was just made (never of a link's target: nobody else is in the tree).
 * Answers one line for each attribute that the file system does not take and that can be done without.
 */
export function setAttributes(path: Buffer, entry: TarHeader): readonly string[] {
  checkId('uid', entry.uid);
  checkId('gid', entry.gid);
  // Owner first: changing it clears setuid bits and capabilities.
  lchownSync(path, entry.uid, entry.gid);
  if (entry.type !== 'symlink') chmodSync(path, entry.mode);
  return [...entry.xattrs].flatMap(([name, value]) => {
    const missing = setXattr(path, name, value);
    return missing === undefined ? [] : [`${showName(entry.name)}: attribute ${name} left out: ${missing}`];
  });
}

export function setTime(path: Buffer, { seconds, nanoseconds }: FileTime): void {
  setRawTimes(path, seconds, nanoseconds);
}

function checkId(what: 'uid' | 'gid', id: number): void {
  // The largest number means "leave as it is" to chown(2).
  if (Number.isInteger(id) && id >= 0 && id < 0xffff_ffff) return;
  throw new EntryProblem(`found ${what} ${id}, wanted 0 to 4294967294`);
}

/** The errno's name where the attribute is left out. */
function setXattr(path: Buffer, name: string, value: Buffer): string | undefined {
  if (/^(trusted|user)\.overlay\./.test(name) || !/^(security|user|system|trusted)\../.test(name)) {
    throw new EntryProblem(
      `found attribute ${JSON.stringify(name)}, wanted security., user., system. or trusted., and none of overlay's own`,
    );
  }
  try {
    setRawXattr(path, name, value);
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    // user.* goes on files and folders only; labels need their security module. A lost capability breaks the program.
    const bearable = code === 'ENOTSUP' || (code === 'EPERM' && name.startsWith('user.'));
    if (!bearable || name === 'security.capability') throw error;
    return code;
  }
}
