import { join } from 'node:path';
import { readJson, writeJsonAtomic } from '../../base/atomic-file.ts';
import { HullError } from '../../base/errors.ts';
import {
  invalidOption,
  parseBoolean,
  parsePercent,
  parseSize,
  rejectUnknownOptions,
} from '../driver-options.ts';

export type BaseFileSystem = 'ext4' | 'xfs';

/** What a pool was made with; it stays so for the pool's life. Sizes in bytes. */
export interface PoolSettings {
  readonly version: 1;
  /** `creating`: a start that finds it begins anew. */
  readonly state: 'creating' | 'ready';
  readonly dataSize: number;
  readonly metadataSize: number;
  readonly blockSize: number;
  readonly baseSize: number;
  readonly fs: BaseFileSystem;
}

/** Everything the options say, defaults filled in. */
export interface DevicemapperOptions {
  readonly pool: Omit<PoolSettings, 'version' | 'state'>;
  /** Of `pool`, what was said and not a default. */
  readonly asked: Partial<PoolSettings>;
  /** Part of the pool's blocks that must be free for a new layer. */
  readonly minFree: number;
  readonly deferredRemoval: boolean;
}

const kib = 1024;
const gib = 1024 ** 3;

const defaults: DevicemapperOptions['pool'] = {
  dataSize: 100 * gib,
  metadataSize: 2 * gib,
  blockSize: 64 * kib,
  baseSize: 10 * gib,
  fs: 'ext4',
};

const keys = [
  'dm.loopdatasize',
  'dm.loopmetadatasize',
  'dm.blocksize',
  'dm.basesize',
  'dm.fs',
  'dm.min_free_space',
  'dm.use_deferred_removal',
] as const;

/** Kind `invalid` naming key, value and what is wanted. The keys are those of Docker's devicemapper driver. */
export function parseDevicemapperOptions(options: ReadonlyMap<string, string>): DevicemapperOptions {
  rejectUnknownOptions('devicemapper', options, keys);
  const given = <T>(key: (typeof keys)[number], parse: (key: string, value: string) => T): T | undefined => {
    const value = options.get(key);
    return value === undefined ? undefined : parse(key, value);
  };
  const asked = definedOnly({
    dataSize: given('dm.loopdatasize', parseSize),
    metadataSize: given('dm.loopmetadatasize', parseSize),
    blockSize: given('dm.blocksize', parseBlockSize),
    baseSize: given('dm.basesize', parseBaseSize),
    fs: given('dm.fs', parseFileSystem),
  });
  return {
    pool: { ...defaults, ...asked },
    asked,
    minFree: given('dm.min_free_space', parsePercent) ?? 0.1,
    deferredRemoval: given('dm.use_deferred_removal', parseBoolean) ?? true,
  };
}

export async function readPoolSettings(home: string): Promise<PoolSettings | undefined> {
  const value = await readJson(settingsPath(home));
  if (value === undefined) return undefined;
  if (isSettings(value)) return value;
  throw new HullError(
    `Cannot read ${JSON.stringify(settingsPath(home))}: found no pool settings of version 1`,
    {
      kind: 'invalid',
    },
  );
}

export async function writePoolSettings(home: string, settings: PoolSettings): Promise<void> {
  await writeJsonAtomic(settingsPath(home), settings);
}

/** A pool keeps what it was made with: another wish is an error, not ignored. */
export function checkAgainstPool(asked: Partial<PoolSettings>, settings: PoolSettings): void {
  for (const [name, value] of Object.entries(asked)) {
    const has: unknown = settings[name as keyof PoolSettings];
    if (has === value) continue;
    throw new HullError(
      `Cannot open the thin pool: its ${name} is ${String(has)} since it was made, and the options say ${String(value)}`,
      { kind: 'invalid', hint: 'Drop the option, or start with another data root.' },
    );
  }
}

function settingsPath(home: string): string {
  return join(home, 'pool.json');
}

function isSettings(value: unknown): value is PoolSettings {
  if (value === null || typeof value !== 'object') return false;
  const fields = value as Partial<Record<keyof PoolSettings, unknown>>;
  return (
    fields.version === 1 &&
    (fields.state === 'creating' || fields.state === 'ready') &&
    [fields.dataSize, fields.metadataSize, fields.blockSize, fields.baseSize].every(Number.isInteger) &&
    (fields.fs === 'ext4' || fields.fs === 'xfs')
  );
}

// Documentation/admin-guide/device-mapper/thin-provisioning.rst: 64 kB to 1 GB, a multiple of 64 kB.
function parseBlockSize(key: string, value: string): number {
  const bytes = parseSize(key, value);
  if (bytes >= 64 * kib && bytes <= gib && bytes % (64 * kib) === 0) return bytes;
  throw invalidOption(key, value, 'a multiple of 64K, from 64K to 1G');
}

function parseBaseSize(key: string, value: string): number {
  const bytes = parseSize(key, value);
  if (bytes >= 16 * 1024 * kib) return bytes - (bytes % 512);
  throw invalidOption(key, value, 'at least 16M');
}

function parseFileSystem(key: string, value: string): BaseFileSystem {
  if (value === 'ext4' || value === 'xfs') return value;
  throw invalidOption(key, value, 'ext4 or xfs');
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function definedOnly<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
