import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HullError, ifExists } from '../base/errors.ts';
import type { StorageDriver } from './driver.ts';
import { drivers } from './drivers.ts';

export interface OpenDriverOptions {
  /** Lasting data; the driver uses `<dataRoot>/<driver name>`. */
  readonly dataRoot: string;
  /** On tmpfs; the driver uses `<execRoot>/<driver name>`. */
  readonly execRoot: string;
  /** `--storage-opt k=v`. */
  readonly options?: ReadonlyMap<string, string>;
  /** The drivers that are tried where none is named, in order (parseOrder). Default: defaultOrder. */
  readonly order?: readonly string[];
}

/** The best first, the one that works everywhere last. */
export const defaultOrder: readonly string[] = ['overlay', 'btrfs', 'zfs', 'devicemapper', 'vfs'];
/** Docker's of the years when aufs was the best there was. */
export const classicOrder: readonly string[] = ['aufs', 'btrfs', 'devicemapper', 'overlay', 'vfs'];

/** `default`, `classic`, or driver names with commas between them. Kind `invalid` naming what is unknown or there twice. */
export function parseOrder(text: string): readonly string[] {
  if (text === 'default') return defaultOrder;
  if (text === 'classic') return classicOrder;
  const names = text.split(',').map((name) => name.trim());
  const wrong = names.find((name, at) => !drivers.has(name) || names.indexOf(name) !== at);
  if (wrong === undefined) return names;
  throw new HullError(
    `Cannot use the order of storage drivers ${JSON.stringify(text)}: found ${JSON.stringify(wrong)}${
      drivers.has(wrong) ? ' twice' : ''
    }, wanted default, classic or each at most once of ${[...drivers.keys()].join(', ')}`,
    { kind: 'invalid' },
  );
}

export interface OpenedDriver {
  readonly driver: StorageDriver;
  /** One sentence for the log: `Chose storage driver overlay: the first of overlay, devicemapper, vfs that works here.` */
  readonly why: string;
}

/**
 * The named driver, or the first that works here. Where the data root already has one driver's layers, that one
 * is chosen and never silently another. Kinds: `invalid` (unknown name or option), `unsupported` (with what is
 * missing), `conflict` (another process has this storage; or layers of several drivers and no name given).
 */
export async function openDriver(
  name: string | undefined,
  options: OpenDriverOptions,
): Promise<OpenedDriver> {
  if (name !== undefined) {
    return { driver: await openNamed(name, options), why: `Storage driver ${name}: it was asked for.` };
  }
  const withData = await driversWithData(options.dataRoot);
  const [only] = withData;
  if (withData.length > 1) {
    throw new HullError(
      `Cannot choose a storage driver: ${JSON.stringify(options.dataRoot)} has layers of ${withData.join(' and ')}`,
      { kind: 'conflict', hint: 'Name the one that is meant: --storage-driver.' },
    );
  }
  if (only !== undefined) {
    const why = `Chose storage driver ${only}: ${JSON.stringify(options.dataRoot)} has layers of it.`;
    return { driver: await openNamed(only, options), why };
  }
  return firstThatWorks(options);
}

async function firstThatWorks(options: OpenDriverOptions): Promise<OpenedDriver> {
  const refusals: string[] = [];
  const order = options.order ?? defaultOrder;
  for (const name of order) {
    try {
      const driver = await openNamed(name, options);
      const why = `Chose storage driver ${name}: the first of ${order.join(', ')} that works here.`;
      return { driver, why: [why, ...refusals].join(' ') };
    } catch (error) {
      // An option is meant for one driver: the others refuse it, and are not what was wanted.
      if (!(error instanceof HullError) || (error.kind !== 'unsupported' && error.kind !== 'invalid'))
        throw error;
      refusals.push(`${error.message}.`);
    }
  }
  throw new HullError(
    `Cannot choose a storage driver: none of ${order.join(', ')} works here. ${refusals.join(' ')}`,
    {
      kind: 'unsupported',
    },
  );
}

async function openNamed(
  name: string,
  { dataRoot, execRoot, options }: OpenDriverOptions,
): Promise<StorageDriver> {
  const open = drivers.get(name);
  if (!open) {
    throw new HullError(
      `Cannot open storage driver ${JSON.stringify(name)}: wanted one of ${[...drivers.keys()].join(', ')}`,
      { kind: 'invalid' },
    );
  }
  return open({ home: join(dataRoot, name), runDir: join(execRoot, name), options: options ?? new Map() });
}

async function driversWithData(dataRoot: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of drivers.keys()) {
    const records = (await ifExists(readdir(join(dataRoot, name, 'records')))) ?? [];
    if (records.some((file) => /\.json(\.transient)?(\.removing)?$/.test(file))) found.push(name);
  }
  return found;
}
