import { access } from 'node:fs/promises';
import { run } from '../../base/command.ts';
import { HullError } from '../../base/errors.ts';
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
import { ZfsNames } from './zfs-commands.ts';

/**
 * Layers as datasets of a zfs pool, children as clones; through the tools of the host. `zfs.fsname` names the dataset that
 * they are in; default: the one that the data root is on.
 */
export async function openZfs(options: DriverOptions, internals?: DriverInternals): Promise<StorageDriver> {
  rejectUnknownOptions('zfs', options.options, ['zfs.fsname']);
  const wanted = options.options.get('zfs.fsname');
  return RecordedDriver.open(
    options,
    async () => {
      const probe = await probeZfs(options.home, wanted);
      if (probe.answer !== 'supported') {
        throw new HullError(`Cannot use storage driver zfs: ${probeText(probe)}`, { kind: 'unsupported' });
      }
      return new ZfsBackend(new ZfsNames(wanted ?? datasetOf(options.home) ?? '', options.home));
    },
    internals,
  );
}

/** Whether there are the kernel's part, the tools, and a dataset to be in. */
export async function probeZfs(home: string, dataset: string | undefined): Promise<ProbeAnswer> {
  const isThere = () =>
    access('/dev/zfs').then(
      () => true,
      () => false,
    );
  if (!(await isThere())) await run('modprobe', ['zfs']).catch(() => undefined);
  if (!(await isThere()))
    return { answer: 'unsupported', missing: 'zfs in this kernel (/dev/zfs); it is not part of Linux' };
  if (!(await isOnPath('zfs')))
    return { answer: 'unsupported', missing: 'the program zfs (package zfsutils-linux)' };
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

class ZfsBackend implements LayerBackend {
  readonly name = 'zfs';
  readonly capabilities: DriverCapabilities = Object.freeze({ copies: false, hostWide: false });
  readonly #names: ZfsNames;

  constructor(names: ZfsNames) {
    this.#names = names;
  }

  newKey(id: string): { readonly key: string } {
    return { key: id };
  }

  async make({ key, size }: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    if (!parent) {
      await zfs(this.#names.create(key, size));
      return;
    }
    for (const words of this.#names.clone(key, parent.key, size)) await zfs(words);
  }

  async made(): Promise<void> {}

  async lacksForSize(): Promise<undefined> {}

  async whyNotRemovable({ key }: LayerRecord): Promise<string | undefined> {
    const mount = readMountInfo('self').find(
      ({ type, source }) => type === 'zfs' && source === this.#names.dataset(key),
    );
    return mount && `it is mounted at ${JSON.stringify(mount.mountPoint)}; unmount it first`;
  }

  async destroy({ key, parent }: LayerRecord): Promise<void> {
    await absent(this.#names.destroy(key));
    if (parent !== undefined) await absent(this.#names.destroySnapshot(parent, key));
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
    return { kind: 'file-system', type: 'zfs', text: this.#names.dataset(layer.key) };
  }

  pinned(): boolean {
    return false;
  }

  hiddenUser(): boolean {
    return false;
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    const { stdout } = await zfs(['list', '-H', '-o', 'used,available,compression', this.#names.parent]);
    const [used = '', available = '', compression = ''] = stdout.trim().split('\t');
    return [
      ['Parent Dataset', this.#names.parent],
      ['Space Used By Parent', used],
      ['Space Available', available],
      ['Compression', compression],
    ];
  }

  async sweep(records: readonly LayerRecord[]): Promise<readonly string[]> {
    const known = new Set(records.map(({ key }) => key));
    const did: string[] = [];
    for (const key of this.#names.parseList((await zfs(this.#names.list())).stdout)) {
      if (known.has(key)) continue;
      const dataset = this.#names.dataset(key);
      did.push(
        await absent(this.#names.destroy(key)).then(
          () => `Removed ${dataset}, which no layer record names.`,
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
    const text = error instanceof Error ? error.message : String(error);
    if (/does not exist|could not find/.test(text)) return;
    if (!/is busy/.test(text)) throw error;
    throw new HullError(text, { kind: 'busy', cause: error });
  }
}
