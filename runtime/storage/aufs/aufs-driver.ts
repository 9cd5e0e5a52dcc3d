import { chmod, mkdir, mkdtemp, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../base/command.ts';
import { HullError, ifExists } from '../../base/errors.ts';
import type { HeldThing } from '../../kernel/holders.ts';
import type { MountSpec } from '../../kernel/mount-spec.ts';
import { coveringMount, readMountInfo } from '../../kernel/mountinfo.ts';
import { findOpenHolders } from '../../kernel/open-holders.ts';
import { type ProbeAnswer, probeText } from '../../kernel/probe.ts';
import { holdMounts } from '../../launch/hold-mounts.ts';
import type { DriverCapabilities, DriverOptions, StorageDriver } from '../driver.ts';
import { rejectUnknownOptions } from '../driver-options.ts';
import { FolderBackend } from '../folder-backend.ts';
import type { LayerChain } from '../layer-backend.ts';
import { copyFolderAttributes, removeGoner } from '../layer-folders.ts';
import type { LayerRecord } from '../layer-records.ts';
import { type DriverInternals, RecordedDriver } from '../recorded-driver.ts';
import { removeTree } from '../remove-tree.ts';
import { requireWholeChain, ShortKeys } from '../short-keys.ts';
import { prepareBranch } from './aufs-housekeeping.ts';
import { aufsMaxBranches, aufsMounts, chooseXino, refusedBelowAufs } from './aufs-mounts.ts';

/**
 * Layers as folders, joined by aufs, the union file system that some distributions' kernels have had beside Linux's own.
 *
 *     <home>/l/<key>      what the layer changed, with aufs's whiteouts (`.wh.<name>`) and housekeeping (`.wh..wh.*`)
 *     <home>/removing/    layers on their way out
 */
export async function openAufs(options: DriverOptions, internals?: DriverInternals): Promise<StorageDriver> {
  rejectUnknownOptions('aufs', options.options, []);
  return RecordedDriver.open(
    options,
    async (records) => {
      const probe = await probeAufs(options.home);
      if (probe.answer !== 'supported') {
        throw new HullError(`Cannot use storage driver aufs: ${probeText(probe)}`, { kind: 'unsupported' });
      }
      const backend = new AufsBackend(options, records);
      await backend.prepare();
      return backend;
    },
    internals,
  );
}

export async function probeAufs(home: string): Promise<ProbeAnswer> {
  const known = async () => /^nodev\taufs$/m.test(await readFile('/proc/filesystems', 'utf8'));
  if (!(await known())) await run('modprobe', ['aufs']).catch(() => undefined);
  if (!(await known())) {
    return {
      answer: 'unsupported',
      missing: 'aufs in this kernel (it is not part of Linux; some distributions added it)',
    };
  }
  const refused = refusedBelowAufs(coveringMount(readMountInfo('self'), home)?.type ?? 'unknown');
  return refused === undefined ? { answer: 'supported' } : { answer: 'unsupported', missing: refused };
}

// The kernel's page may be larger (arm64); a page is at least this.
const pageSize = 4096;

class AufsBackend extends FolderBackend {
  readonly name = 'aufs';
  readonly capabilities: DriverCapabilities = Object.freeze({
    copies: false,
    maxDepth: aufsMaxBranches,
    hostWide: false,
  });
  readonly #runDir: string;
  readonly #keys: ShortKeys;
  #dirperm1 = false;
  #xino: string | undefined;

  constructor({ home, runDir }: DriverOptions, records: readonly LayerRecord[]) {
    super(home, 'l');
    this.#runDir = runDir;
    this.#keys = new ShortKeys(records);
  }

  override async prepare(): Promise<void> {
    await super.prepare();
    this.#xino = chooseXino(await Promise.all([this.#runDir, '/dev/shm'].map(describePlace)));
    this.#dirperm1 = await this.#canMount(true);
    if (this.#dirperm1 || (await this.#canMount(false))) return;
    throw new HullError(
      `Cannot use storage driver aufs: it cannot be mounted below ${JSON.stringify(this.home)}`,
      {
        kind: 'unsupported',
      },
    );
  }

  override newKey(): { readonly key: string } {
    return { key: this.#keys.take() };
  }

  async make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    const folder = this.folder(layer);
    await mkdir(folder, { mode: 0o755 });
    await chmod(folder, 0o755);
    if (parent) copyFolderAttributes(this.folder(parent), folder);
  }

  async lacksForSize(): Promise<string> {
    return 'limits: aufs has none';
  }

  async destroy(layer: LayerRecord): Promise<void> {
    await removeGoner(this.folder(layer), join(this.removing, layer.key));
    this.#keys.free(layer.key);
  }

  override async activate(chain: LayerChain, readOnly: boolean): Promise<readonly MountSpec[]> {
    requireWholeChain(chain);
    const [layer, ...ancestors] = chain;
    prepareBranch(this.folder(layer), readOnly ? 'read' : 'write');
    for (const ancestor of ancestors) prepareBranch(this.folder(ancestor), 'read');
    return aufsMounts({
      folder: this.layers,
      branches: [layer.key, ...ancestors.map(({ key }) => key)],
      xino: this.#xino,
      dirperm1: this.#dirperm1,
      pageSize,
    });
  }

  /**
   * By its source, which is ours to choose: mountinfo names no branches, and aufs's own table of them (/sys/fs/aufs/si_…/br0) must not be
   * read, for a union that goes away meanwhile is a null pointer there (aufs 5.10).
   */
  override heldThing(chain: LayerChain): Extract<HeldThing, { kind: 'file-system' }> {
    const [own = this.layers, ...below] = chain.map((layer) => this.folder(layer));
    return { kind: 'file-system', type: 'aufs', source: own, folders: [own, ...below] };
  }

  /** A union that lives on without a mount writes to the first branch: no second one may be put on it. */
  override hiddenUser(chain: LayerChain): boolean {
    return findOpenHolders(this.heldThing(chain)).length > 0;
  }

  override async status(): Promise<readonly (readonly [string, string])[]> {
    return [
      ['Layer Folder', this.layers],
      ['Backing Filesystem', coveringMount(readMountInfo('self'), this.home)?.type ?? 'unknown'],
      ['Dirperm1 Supported', String(this.#dirperm1)],
      ['Inode Table', this.#xino ?? 'none'],
    ];
  }

  async #canMount(dirperm1: boolean): Promise<boolean> {
    const folder = await mkdtemp(join(this.home, 'probe-'));
    try {
      for (const name of ['top', 'low']) await mkdir(join(folder, name));
      await using _ = await holdMounts(
        aufsMounts({ folder, branches: ['top', 'low'], xino: this.#xino, dirperm1, pageSize }),
      );
      return true;
    } catch {
      return false;
    } finally {
      await removeTree(folder);
    }
  }
}

async function describePlace(folder: string) {
  const space = await ifExists(statfs(folder));
  const type = coveringMount(readMountInfo('self'), folder)?.type;
  return { folder, type: space ? type : undefined, freeBytes: space ? space.bavail * space.bsize : 0 };
}
