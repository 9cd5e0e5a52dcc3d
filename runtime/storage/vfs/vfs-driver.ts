import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../base/command.ts';
import type { HeldThing } from '../../kernel/holders.ts';
import { processIds } from '../../kernel/mount-namespaces.ts';
import type { MountSpec } from '../../kernel/mount-spec.ts';
import { attempt, readText } from '../../kernel/process-files.ts';
import type { DriverCapabilities, DriverOptions, StorageDriver } from '../driver.ts';
import { rejectUnknownOptions } from '../driver-options.ts';
import type { LayerBackend, LayerChain } from '../layer-backend.ts';
import { removeGoner, sweepFolders } from '../layer-folders.ts';
import type { LayerRecord } from '../layer-records.ts';
import { type DriverInternals, RecordedDriver } from '../recorded-driver.ts';
import { mountBelow } from '../remove-tree.ts';

/**
 * Layers as whole copies: `<home>/layers/<id>`. Works on every file system; slow and large, except where the file system
 * shares blocks (`cp --reflink`: btrfs, xfs).
 */
export async function openVfs(options: DriverOptions, internals?: DriverInternals): Promise<StorageDriver> {
  rejectUnknownOptions('vfs', options.options, []);
  return RecordedDriver.open(
    options,
    async () => {
      const backend = new VfsBackend(options.home);
      await backend.prepare();
      return backend;
    },
    internals,
  );
}

/** Afterwards no `cp` writes into the folder any more: one outlives a daemon that is killed. */
async function endCopiers(folder: string): Promise<void> {
  const isCopier = (pid: number) => {
    const words = readText(`/proc/${pid}/cmdline`).split('\0').filter(Boolean);
    return words[0] === 'cp' && words.at(-1) === folder;
  };
  for (const pid of processIds().filter(isCopier)) {
    attempt(() => process.kill(pid, 'SIGKILL'));
    while (isCopier(pid)) await sleep(5);
  }
}

class VfsBackend implements LayerBackend {
  readonly name = 'vfs';
  readonly capabilities: DriverCapabilities = Object.freeze({ copies: true, hostWide: false });
  readonly #layers: string;
  readonly #removing: string;

  constructor(home: string) {
    this.#layers = join(home, 'layers');
    this.#removing = join(home, 'removing');
  }

  async prepare(): Promise<void> {
    await mkdir(this.#layers, { recursive: true, mode: 0o700 });
    await mkdir(this.#removing, { recursive: true, mode: 0o700 });
  }

  newKey(id: string): { readonly key: string } {
    return { key: id };
  }

  async make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    const folder = this.#folder(layer);
    await mkdir(folder, { mode: 0o755 });
    await chmod(folder, 0o755);
    // The dot copies the parent folder's own owner, mode and times as well.
    if (parent) await run('cp', ['-a', '--reflink=auto', `${this.#folder(parent)}/.`, folder]);
  }

  async made(): Promise<void> {}

  async lacksForSize(): Promise<string> {
    return 'a file system that limits folders: vfs layers are plain copies';
  }

  async whyNotRemovable({ key }: LayerRecord): Promise<string | undefined> {
    return mountBelow(join(this.#layers, key));
  }

  async destroy(layer: LayerRecord): Promise<void> {
    if (layer.state === 'creating') await endCopiers(this.#folder(layer));
    await removeGoner(this.#folder(layer), join(this.#removing, layer.key));
  }

  async activate([layer]: LayerChain): Promise<readonly MountSpec[]> {
    return [{ type: 'bind', source: this.#folder(layer), target: '', options: [] }];
  }

  async deactivate(): Promise<boolean> {
    return true;
  }

  async deferDeactivation(): Promise<boolean> {
    return false;
  }

  heldThing([layer]: LayerChain): HeldThing {
    return { kind: 'folder', path: this.#folder(layer) };
  }

  pinned(): boolean {
    return false;
  }

  hiddenUser(): boolean {
    return false;
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    return [['Layer Folder', this.#layers]];
  }

  async sweep(records: readonly LayerRecord[]): Promise<readonly string[]> {
    return sweepFolders(this.#layers, this.#removing, new Set(records.map(({ key }) => key)));
  }

  async close(): Promise<void> {}

  #folder({ key }: LayerRecord): string {
    return join(this.#layers, key);
  }
}
