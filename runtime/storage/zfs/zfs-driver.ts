import { randomBytes } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { run } from '../../base/command.ts';
import { HullError, ifExists } from '../../base/errors.ts';
import type { HeldThing } from '../../kernel/holders.ts';
import type { MountSpec } from '../../kernel/mount-spec.ts';
import { coveringMount, readMountInfo } from '../../kernel/mountinfo.ts';
import { type ProbeAnswer, probeText } from '../../kernel/probe.ts';
import type { DriverCapabilities, DriverOptions, StorageDriver } from '../driver.ts';
import { rejectUnknownOptions } from '../driver-options.ts';
import type { LayerBackend, LayerChain } from '../layer-backend.ts';
import type { LayerRecord } from '../layer-records.ts';
import { isOnPath } from '../on-path.ts';
import { type DriverInternals, RecordedDriver } from '../recorded-driver.ts';
import { ShortKeys } from '../short-keys.ts';
import { isMountedInKernel } from './mounted-datasets.ts';
import { isDatasetName, ZfsNames } from './zfs-commands.ts';

/**
 * Layers as datasets of a zfs pool, children as clones; through the tools of the host. `zfs.fsname` names the dataset below which
 * they are; default: the one that the data root is on.
 *
 *     <that dataset>/<storage>/<key>     a layer
 *     <home>/dataset                     the name of the storage: another daemon, also one on another machine that had this pool, has another
 */
export async function openZfs(options: DriverOptions, internals?: DriverInternals): Promise<StorageDriver> {
  rejectUnknownOptions('zfs', options.options, ['zfs.fsname']);
  const wanted = options.options.get('zfs.fsname');
  if (wanted !== undefined && !isDatasetName(wanted)) {
    throw new HullError(
      `Cannot use storage option zfs.fsname: found ${JSON.stringify(wanted)}, wanted a dataset such as tank/hull`,
      { kind: 'invalid' },
    );
  }
  return RecordedDriver.open(
    options,
    async (records) => {
      const probe = await probeZfs(options.home, wanted);
      if (probe.answer !== 'supported') {
        throw new HullError(`Cannot use storage driver zfs: ${probeText(probe)}`, { kind: 'unsupported' });
      }
      const names = new ZfsNames(
        await openStorage(options.home, wanted ?? datasetOf(options.home) ?? '', records),
      );
      return new ZfsBackend(names, records);
    },
    internals,
  );
}

/** What this machine lacks for any zfs, as a noun: the kernel's part, or the tools. */
export async function lacksZfs(): Promise<string | undefined> {
  const isThere = () =>
    access('/dev/zfs').then(
      () => true,
      () => false,
    );
  if (!(await isThere())) await run('modprobe', ['zfs']).catch(() => undefined);
  if (!(await isThere())) return 'zfs in this kernel (/dev/zfs); it is not part of Linux';
  return (await isOnPath('zfs')) ? undefined : 'the program zfs (package zfsutils-linux)';
}

async function probeZfs(home: string, dataset: string | undefined): Promise<ProbeAnswer> {
  const missing = await lacksZfs();
  if (missing !== undefined) return { answer: 'unsupported', missing };
  const name = dataset ?? datasetOf(home);
  if (name === undefined) {
    return {
      answer: 'unsupported',
      missing: `a zfs below ${JSON.stringify(home)}, or the option zfs.fsname`,
    };
  }
  try {
    await run('zfs', ['list', '-H', '-t', 'filesystem', '-o', 'name', name]);
    return { answer: 'supported' };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { answer: 'unsupported', missing: `the dataset ${JSON.stringify(name)} (${text})` };
  }
}

function datasetOf(home: string): string | undefined {
  const mount = coveringMount(readMountInfo('self'), home);
  return mount?.type === 'zfs' ? mount.source : undefined;
}

/** The dataset of this storage's layers, made where there is none yet. */
async function openStorage(home: string, parent: string, records: readonly LayerRecord[]): Promise<string> {
  const path = join(home, 'dataset');
  const known = (await ifExists(readFile(path, 'utf8')))?.trim();
  const name = known ?? `hull-${randomBytes(8).toString('hex')}`;
  if (known === undefined) await writeFileAtomic(path, `${name}\n`);
  const storage = `${parent}/${name}`;
  if (known !== undefined && (await exists(storage))) return storage;
  if (records.length > 0) {
    throw new HullError(
      `Cannot use storage driver zfs: the layers of ${JSON.stringify(home)} are in a dataset ${name}, which is not in ${JSON.stringify(parent)}`,
      { kind: 'unavailable', hint: 'Name the dataset that it is in: --storage-opt zfs.fsname=….' },
    );
  }
  await zfs(new ZfsNames(storage).createStorage());
  return storage;
}

async function exists(dataset: string): Promise<boolean> {
  try {
    await zfs(['list', '-H', '-o', 'name', dataset]);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

class ZfsBackend implements LayerBackend {
  readonly name = 'zfs';
  readonly capabilities: DriverCapabilities = Object.freeze({ copies: false, hostWide: false });
  readonly #names: ZfsNames;
  readonly #keys: ShortKeys;

  constructor(names: ZfsNames, records: readonly LayerRecord[]) {
    this.#names = names;
    this.#keys = new ShortKeys(records);
  }

  // Not the id: a snapshot is named after two layers, and zfs takes 255 letters for all of it.
  newKey(): { readonly key: string } {
    return { key: this.#keys.take() };
  }

  async make({ id, key, size }: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    if (!parent) {
      await zfs(this.#names.create(id, key, size));
      return;
    }
    for (const words of this.#names.clone(id, key, parent.key, size)) await zfs(words);
  }

  async made(): Promise<void> {}

  async lacksForSize(size: number, parent: LayerRecord | undefined): Promise<string | undefined> {
    if (!parent) return undefined;
    const words = ['get', '-H', '-p', '-o', 'value', 'referenced', this.#names.dataset(parent.key)];
    const has = Number((await zfs(words)).stdout);
    return has < size ? undefined : `room: its parent has ${has} bytes`;
  }

  async whyNotRemovable({ key }: LayerRecord): Promise<string | undefined> {
    const mount = readMountInfo('self').find(
      ({ type, source }) => type === 'zfs' && source === this.#names.dataset(key),
    );
    return mount && `it is mounted at ${JSON.stringify(mount.mountPoint)}; unmount it first`;
  }

  async destroy({ key }: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    await absent(this.#names.destroy(key));
    if (parent) await absent(this.#names.destroySnapshot(parent.key, key));
    this.#keys.free(key);
  }

  async activate([layer]: LayerChain): Promise<readonly MountSpec[]> {
    return [this.#names.mount(layer.key)];
  }

  async deactivate(): Promise<boolean> {
    return true;
  }

  async deferDeactivation(): Promise<boolean> {
    return false;
  }

  heldThing([layer]: LayerChain): HeldThing {
    return { kind: 'file-system', type: 'zfs', source: this.#names.dataset(layer.key) };
  }

  pinned([layer]: LayerChain): boolean {
    return isMountedInKernel(this.#names.dataset(layer.key));
  }

  hiddenUser(): boolean {
    return false;
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    const { stdout } = await zfs(['list', '-H', '-o', 'used,available,compression', this.#names.storage]);
    const [used = '', available = '', compression = ''] = stdout.trim().split('\t');
    return [
      ['Dataset', this.#names.storage],
      ['Space Used By Parent', used],
      ['Space Available', available],
      ['Compression', compression],
    ];
  }

  async sweep(records: readonly LayerRecord[]): Promise<readonly string[]> {
    const known = new Set(records.map(({ key }) => key));
    const { keys, snapshots } = this.#names.parseList((await zfs(this.#names.list())).stdout);
    const goners = [
      ...keys
        .filter((key) => !known.has(key))
        .map((key) => ({ name: this.#names.dataset(key), words: this.#names.destroy(key) })),
      ...snapshots
        .filter(({ parentKey, key }) => known.has(parentKey) && !known.has(key))
        .map(({ parentKey, key }) => ({
          name: this.#names.snapshot(parentKey, key),
          words: this.#names.destroySnapshot(parentKey, key),
        })),
    ];
    const did: string[] = [];
    for (const { name, words } of goners) {
      did.push(
        await absent(words).then(
          () => `Removed ${name}, which no layer record names.`,
          (error: unknown) => (error instanceof Error ? error.message : String(error)),
        ),
      );
    }
    return did;
  }

  async close(): Promise<void> {}
}

async function zfs(words: readonly string[]) {
  return await run('zfs', words, { env: { LC_ALL: 'C' } });
}

/** Afterwards it is not there; kind `busy` where somebody has it mounted. */
async function absent(words: readonly string[]): Promise<void> {
  try {
    await zfs(words);
  } catch (error) {
    if (isAbsence(error)) return;
    const text = error instanceof Error ? error.message : String(error);
    if (!/is busy/.test(text)) throw error;
    throw new HullError(text, { kind: 'busy', cause: error });
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && /does not exist|could not find/.test(error.message);
}
