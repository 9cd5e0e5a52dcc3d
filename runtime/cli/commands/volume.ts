import { HullError } from '../../base/errors.ts';
import { errorText } from '../../base/log.ts';
import { call, getJson } from '../api-client.ts';
import { fieldOf } from '../fields.ts';

interface Flags {
  readonly host: string;
}

export async function createVolume(
  name: string | undefined,
  { host, opt, label }: Flags & { readonly opt: readonly string[]; readonly label: readonly string[] },
): Promise<void> {
  const body = {
    ...(name === undefined ? {} : { Name: name }),
    DriverOpts: pairs('--opt', opt),
    // A label may have no value.
    Labels: pairs(
      '--label',
      label.map((word) => (word.includes('=') ? word : `${word}=`)),
    ),
  };
  console.log(fieldOf(await call(host, 'POST', '/volumes/create', body), 'Name'));
}

/** Names and mount points, in columns. */
export async function listVolumes({
  host,
  quiet,
  filter,
}: Flags & { readonly quiet: boolean; readonly filter: readonly string[] }): Promise<void> {
  const answer = await getJson(host, `/volumes${filtersQuery(filter)}`);
  const found = listOf(answer, 'Volumes').map((volume) => [
    fieldOf(volume, 'Name'),
    fieldOf(volume, 'Mountpoint'),
  ]);
  const width = Math.max(6, ...found.map(([name = '']) => name.length)) + 2;
  const rows = quiet
    ? found.map(([name]) => name)
    : [['volume', 'files'], ...found].map(([name = '', path]) => name.padEnd(width) + path);
  for (const row of rows) console.log(row);
  for (const warning of listOf(answer, 'Warnings')) console.error(`hull: ${String(warning)}`);
}

export async function inspectVolumes(names: readonly string[], { host }: Flags): Promise<void> {
  const found: unknown[] = [];
  try {
    await forEach(names, async (name) => found.push(await getJson(host, pathOf(name))));
  } finally {
    console.log(JSON.stringify(found, undefined, 2));
  }
}

export async function removeVolumes(
  names: readonly string[],
  { host, force }: Flags & { readonly force: boolean },
): Promise<void> {
  await forEach(names, async (name) => {
    await call(host, 'DELETE', `${pathOf(name)}${force ? '?force=1' : ''}`);
    console.log(name);
  });
}

export async function pruneVolumes({
  host,
  all,
  filter,
}: Flags & { readonly all: boolean; readonly filter: readonly string[] }): Promise<void> {
  const filters = [...filter, ...(all ? ['all=true'] : [])];
  const answer = await call(host, 'POST', `/volumes/prune${filtersQuery(filters)}`);
  for (const name of listOf(answer, 'VolumesDeleted')) console.log(String(name));
  console.log(`${fieldOf(answer, 'SpaceReclaimed')} bytes reclaimed`);
}

const pathOf = (name: string): string => `/volumes/${encodeURIComponent(name)}`;

/** All of them are tried; what failed is said at the end, and the exit code is 1. */
async function forEach(names: readonly string[], action: (name: string) => Promise<unknown>): Promise<void> {
  const failed: string[] = [];
  for (const name of names) await action(name).catch((error: unknown) => failed.push(errorText(error)));
  if (failed.length > 0) throw new HullError(failed.join('\nhull: '), { kind: 'internal' });
}

function filtersQuery(filters: readonly string[]): string {
  const found: Record<string, string[]> = {};
  for (const [name, value] of filters.map((word) => pair('--filter', word))) {
    found[name] = [...(found[name] ?? []), value];
  }
  return filters.length === 0 ? '' : `?filters=${encodeURIComponent(JSON.stringify(found))}`;
}

const pairs = (flag: string, words: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(words.map((word) => pair(flag, word)));

function pair(flag: string, word: string): readonly [string, string] {
  const at = word.indexOf('=');
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  throw new HullError(`Cannot use ${flag}: found ${JSON.stringify(word)}, wanted key=value`, {
    kind: 'invalid',
  });
}

function listOf(answer: unknown, name: string): readonly unknown[] {
  const list: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, name) : undefined;
  return Array.isArray(list) ? list : [];
}
