import { readFileSync, readlinkSync } from 'node:fs';
import { HullError } from '../../base/errors.ts';

/** What the folder of a process in /proc says of it, through a descriptor: it never comes to mean another process. */
export interface ClientProcess {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: ReadonlySet<string>;
  /** Why this process cannot act for it; undefined where it can. */
  readonly foreign: string | undefined;
}

/**
 * Throws where the process is gone or hidden, or the descriptor is not of the folder of that process: any other folder could say anything of its
 * sender's rights.
 */
export function readClient(descriptor: number, pid: number, own: Standing): ClientProcess {
  const folder = `/proc/self/fd/${descriptor}`;
  const found = readlinkSync(folder);
  if (found !== `/proc/${pid}`)
    throw new HullError(
      `Cannot serve process ${pid}: found folder ${JSON.stringify(found)}, wanted its own in /proc`,
      {
        kind: 'invalid',
      },
    );
  const strings = (name: string) => readFileSync(`${folder}/${name}`, 'utf8').split('\0').slice(0, -1);
  return {
    args: strings('cmdline').slice(1),
    cwd: readlinkSync(`${folder}/cwd`),
    env: new Set(strings('environ').map((entry) => entry.split('=', 1)[0] ?? '')),
    foreign: differenceOf(standingOf(folder), own),
  };
}

/** Where a process stands and what it may do, by names that equal ones share. */
export type Standing = ReadonlyMap<string, string>;

/** The others the container has from the client, which is its parent. */
const namespaces = ['mnt', 'user', 'pid', 'cgroup'] as const;
const rights = [
  'Uid',
  'Gid',
  'Groups',
  'CapInh',
  'CapPrm',
  'CapEff',
  'CapBnd',
  'CapAmb',
  'NoNewPrivs',
  'Seccomp',
];

/** @param folder of the process in /proc */
export function standingOf(folder: string): Standing {
  const standing = new Map<string, string>();
  for (const name of namespaces) standing.set(`${name} namespace`, readlinkSync(`${folder}/ns/${name}`));
  standing.set('label', labelOf(folder));
  standing.set('root', readlinkSync(`${folder}/root`));
  for (const line of readFileSync(`${folder}/status`, 'utf8').split('\n')) {
    const [name = '', value = ''] = line.split(':\t');
    if (rights.includes(name)) standing.set(name, value.trim());
  }
  return standing;
}

/** Of AppArmor or SELinux, where one of them is. */
function labelOf(folder: string): string {
  try {
    return readFileSync(`${folder}/attr/current`, 'utf8');
  } catch {
    return '';
  }
}

function differenceOf(theirs: Standing, own: Standing): string | undefined {
  for (const [name, value] of own) if (theirs.get(name) !== value) return `another ${name}`;
  return undefined;
}
