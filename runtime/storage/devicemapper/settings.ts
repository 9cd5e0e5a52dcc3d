import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
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
  /** Block devices that the pool is on; absent where it is on loop files. */
  readonly devices?: { readonly data: string; readonly metadata: string };
  /** A pool of the host's that is used, by its device-mapper name. */
  readonly thinPool?: string;
  /** What the base device was grown to since, where it was. */
  readonly grownTo?: number;
}

/** Everything the options say, defaults filled in. */
export interface DevicemapperOptions {
  readonly pool: Omit<PoolSettings, 'version' | 'state' | 'grownTo'>;
  /** Of `pool`, what was said and not a default. */
  readonly asked: Partial<PoolSettings>;
  /** Part of the pool's blocks that must be free for a new layer. */
  readonly minFree: number;
  readonly deferredRemoval: boolean;
  /** A removal succeeds while a stranger has the device; it is deleted when they have let go. */
  readonly deferredDeletion: boolean;
  /** The blocks of a deleted device are given back to what is below the pool. Default: on loop files. */
  readonly discardBlocks: boolean;
  /** Mount options of every layer besides those that must be. */
  readonly mountWords: readonly string[];
  /** How often xfs tries again to write metadata that the pool had no room for, before it stops the file system. */
  readonly xfsRetries: number;
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
  'dm.use_deferred_deletion',
  'dm.thinpooldev',
  'dm.datadev',
  'dm.metadatadev',
  'dm.blkdiscard',
  'dm.mountopt',
  'dm.xfs_nospace_max_retries',
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
    devices: parseDevices(options),
    thinPool: given('dm.thinpooldev', parsePoolName),
  });
  refuseContradictions(options);
  const deferredRemoval = given('dm.use_deferred_removal', parseBoolean) ?? true;
  const deferredDeletion = given('dm.use_deferred_deletion', parseBoolean) ?? false;
  if (deferredDeletion && !deferredRemoval) {
    throw invalidOption('dm.use_deferred_deletion', 'true', 'false where dm.use_deferred_removal is false');
  }
  return {
    pool: { ...defaults, ...asked },
    asked,
    minFree: given('dm.min_free_space', parsePercent) ?? 0.1,
    deferredRemoval,
    deferredDeletion,
    discardBlocks: given('dm.blkdiscard', parseBoolean) ?? !(asked.devices || asked.thinPool),
    mountWords: (options.get('dm.mountopt') ?? '').split(',').filter(Boolean),
    // xfs would try for ever, and whoever waits for it could not be killed.
    xfsRetries: given('dm.xfs_nospace_max_retries', parseCount) ?? 0,
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

/** What may become more, each with how much it is now. */
const growing: Readonly<Record<string, (settings: PoolSettings) => number>> = {
  baseSize: currentBaseSize,
  dataSize: ({ dataSize }) => dataSize,
  metadataSize: ({ metadataSize }) => metadataSize,
};

/** A pool keeps what it was made with: another wish is an error, not ignored. Only sizes may become more. */
export function checkAgainstPool(asked: Partial<PoolSettings>, settings: PoolSettings): void {
  for (const [name, value] of Object.entries(asked)) {
    const size = growing[name]?.(settings);
    const has: unknown = size ?? settings[name as keyof PoolSettings];
    if (isDeepStrictEqual(has, value) || (size !== undefined && Number(value) > size)) continue;
    throw new HullError(
      `Cannot open the thin pool: its ${name} is ${text(has)} since it was made, and the options say ${text(value)}`,
      { kind: 'invalid', hint: 'Drop the option, or start with another data root.' },
    );
  }
}

/** Bytes of the device that layers without a parent start from. */
export function currentBaseSize({ baseSize, grownTo }: PoolSettings): number {
  return grownTo ?? baseSize;
}

const text = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));

function parseDevices(options: ReadonlyMap<string, string>): PoolSettings['devices'] {
  const [data, metadata] = [options.get('dm.datadev'), options.get('dm.metadatadev')];
  if (data === undefined && metadata === undefined) return undefined;
  if (data && metadata && data !== metadata) return { data, metadata };
  const key = data ? 'dm.metadatadev' : 'dm.datadev';
  throw invalidOption(key, options.get(key) ?? 'nothing', 'a block device of its own beside the other one');
}

// Docker takes the name with or without the folder.
function parsePoolName(key: string, value: string): string {
  const name = value.replace(/^\/dev\/mapper\//, '');
  if (/^[^/]{1,127}$/.test(name)) return name;
  throw invalidOption(key, value, 'the name of a thin pool, or /dev/mapper/<name>');
}

function refuseContradictions(options: ReadonlyMap<string, string>): void {
  const given = keys.filter((key) => options.has(key));
  const loop = given.find((key) => key.startsWith('dm.loop'));
  const devices = given.find((key) => key === 'dm.datadev');
  const pool = given.find((key) => key === 'dm.thinpooldev');
  const both = [loop, devices, pool].filter((key) => key !== undefined);
  if (both.length > 1)
    throw invalidOption(both[0] ?? '', options.get(both[0] ?? '') ?? '', `no ${both[1]} beside it`);
  if (pool && options.has('dm.blocksize')) {
    throw invalidOption(
      'dm.blocksize',
      options.get('dm.blocksize') ?? '',
      `no ${pool} beside it: the pool has its own`,
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

function parseCount(key: string, value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw invalidOption(key, value, 'a whole number');
}

function parseFileSystem(key: string, value: string): BaseFileSystem {
  if (value === 'ext4' || value === 'xfs') return value;
  throw invalidOption(key, value, 'ext4 or xfs');
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function definedOnly<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
