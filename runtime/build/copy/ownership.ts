import { HullError } from '../../base/errors.ts';
import { readInRoot } from '../../containers/read-in-root.ts';
import type { Owner } from './copy-into.ts';

/**
 * `--chown=user[:group]`, numbers or names of the tree's own account files. As in Docker a user alone is the group's name
 * or number as well. Kind `invalid`.
 */
export async function ownerOf(chown: string, root: string): Promise<Owner> {
  const parts = chown.split(':');
  const [user = '', group = user] = parts;
  if (parts.length > 2 || user === '' || group === '') {
    throw new HullError(`invalid chown string ${JSON.stringify(chown)}: wanted user or user:group`, {
      kind: 'invalid',
    });
  }
  return {
    uid: await idOf('user', 'uid', user, root, '/etc/passwd'),
    gid: await idOf('group', 'gid', group, root, '/etc/group'),
  };
}

/** `--chmod=755`; undefined where it is ''. Kind `invalid`. */
export function modeOf(chmod: string): number | undefined {
  if (chmod === '') return undefined;
  if (/^[0-7]{1,4}$/.test(chmod)) return Number.parseInt(chmod, 8);
  throw new HullError(
    `invalid chmod parameter: '${chmod}'. it should be octal string and between 0 and 07777`,
    {
      kind: 'invalid',
    },
  );
}

async function idOf(what: string, id: string, name: string, root: string, file: string): Promise<number> {
  const rows = /^\d+$/.test(name)
    ? []
    : (await readInRoot(root, file)).split('\n').map((line) => line.trim().split(':'));
  const number = Number(rows.find(([title]) => title === name)?.[2] ?? name);
  if (Number.isInteger(number) && number >= 0 && number <= 0x7fff_ffff) return number;
  throw new HullError(`can't find ${id} for ${what} ${name}: no such ${what} in ${file}: ${name}`, {
    kind: 'invalid',
  });
}
