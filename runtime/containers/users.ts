import { HullError } from '../base/errors.ts';
import type { User } from '../base/oci.ts';

export interface ResolvedUser extends User {
  readonly additionalGids: readonly number[];
  readonly home: string;
}

export interface AccountFiles {
  /** Text of the root's /etc/passwd; '' where there is none. */
  readonly passwd: string;
  /** Text of the root's /etc/group; '' where there is none. */
  readonly group: string;
}

/**
 * Who `user`, `user:group`, `uid`, `uid:gid` or '' (0:0) is in a root file system. As in Docker a number needs no
 * entry, and a named group replaces the membership list. Kind `invalid` for a name that is in neither file.
 */
export function resolveUser(wanted: string, files: AccountFiles): ResolvedUser {
  const [userPart = '', groupPart = ''] = wanted.split(':', 2);
  const accounts = rows(files.passwd);
  const groups = rows(files.group);
  const name = userPart === '' ? '0' : userPart;

  const account =
    accounts.find(([login]) => login === name) ??
    (isNumber(name) ? accounts.find(([, , uid]) => uid === name) : undefined);
  if (!account && !isNumber(name)) throw unknown('user', userPart, wanted, '/etc/passwd');
  const uid = Number(account?.[2] ?? name);
  const home = account?.[5] || '/';

  if (groupPart !== '') {
    const group = groups.find(([title]) => title === groupPart);
    if (!group && !isNumber(groupPart)) throw unknown('group', groupPart, wanted, '/etc/group');
    return { uid, gid: checkId(Number(group?.[2] ?? groupPart), wanted), additionalGids: [], home };
  }
  const login = account?.[0];
  const gid = Number(account?.[3] ?? 0);
  const memberOf = groups
    .filter(([, , , members = '']) => login !== undefined && members.split(',').includes(login))
    .map(([, , id]) => Number(id));
  return { uid: checkId(uid, wanted), gid: checkId(gid, wanted), additionalGids: unique(memberOf), home };
}

/** Adds HostConfig.GroupAdd (names or numbers). */
export function addGroups(user: ResolvedUser, added: readonly string[], files: AccountFiles): ResolvedUser {
  const groups = rows(files.group);
  const ids = added.map((wanted) => {
    const group = groups.find(([title]) => title === wanted);
    if (!group && !isNumber(wanted)) throw unknown('group', wanted, wanted, '/etc/group');
    return checkId(Number(group?.[2] ?? wanted), wanted);
  });
  return { ...user, additionalGids: unique([...user.additionalGids, ...ids]) };
}

function rows(text: string): readonly string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function unique(ids: readonly number[]): number[] {
  return [...new Set(ids)];
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

function checkId(id: number, wanted: string): number {
  if (Number.isInteger(id) && id >= 0 && id <= 0x7fff_ffff) return id;
  throw new HullError(`Cannot run as ${JSON.stringify(wanted)}: found id ${id}, wanted 0 to 2147483647`, {
    kind: 'invalid',
  });
}

function unknown(what: string, name: string, wanted: string, file: string): HullError {
  const inside = name === wanted ? '' : ` (in ${JSON.stringify(wanted)})`;
  return new HullError(
    `Cannot run as ${what} ${JSON.stringify(name)}${inside}: no such ${what} in the container's ${file}`,
    { kind: 'invalid' },
  );
}
