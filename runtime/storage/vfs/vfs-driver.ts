import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../base/command.ts';
import { processIds } from '../../kernel/mount-namespaces.ts';
import { attempt, readText } from '../../kernel/process-files.ts';
import type { DriverCapabilities, DriverOptions, StorageDriver } from '../driver.ts';
import { rejectUnknownOptions } from '../driver-options.ts';
import { FolderBackend } from '../folder-backend.ts';
import { removeGoner, syncFileSystemOf } from '../layer-folders.ts';
import type { LayerRecord } from '../layer-records.ts';
import { type DriverInternals, RecordedDriver } from '../recorded-driver.ts';

/**
 * Layers as whole copies: `<home>/layers/<id>`. Works on every file system; slow and large, except where the file system
 * shares blocks (`cp --reflink`: btrfs, xfs).
 */
export async function openVfs(options: DriverOptions, internals?: DriverInternals): Promise<StorageDriver> {
  rejectUnknownOptions('vfs', options.options, []);
  return RecordedDriver.open(
    options,
    async () => {
      const backend = new VfsBackend(options.home, 'layers');
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

class VfsBackend extends FolderBackend {
  readonly name = 'vfs';
  readonly capabilities: DriverCapabilities = Object.freeze({ copies: true, hostWide: false });

  async make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    const folder = this.folder(layer);
    await mkdir(folder, { mode: 0o755 });
    await chmod(folder, 0o755);
    if (!parent) return;
    // The dot copies the parent folder's own owner, mode and times as well.
    await run('cp', ['-a', '--reflink=auto', `${this.folder(parent)}/.`, folder]);
    // The record that follows says that the copy is there, and must not outlive a power cut that the copy does not.
    await syncFileSystemOf(folder);
  }

  async lacksForSize(): Promise<string> {
    return 'a file system that limits folders: vfs layers are plain copies';
  }

  async destroy(layer: LayerRecord): Promise<void> {
    if (layer.state === 'creating') await endCopiers(this.folder(layer));
    await removeGoner(this.folder(layer), join(this.removing, layer.key));
  }
}
