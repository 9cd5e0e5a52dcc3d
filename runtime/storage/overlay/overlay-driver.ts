import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ifExists } from '../../base/errors.ts';
import type { HeldThing } from '../../kernel/holders.ts';
import type { MountSpec } from '../../kernel/mount-spec.ts';
import { findOpenHolders } from '../../kernel/open-holders.ts';
import { forgetLimit, lastProject, limitFolder, probeProjectQuota } from '../../kernel/project-quota.ts';
import type { ChangeHint, DriverCapabilities, DriverOptions, StorageDriver } from '../driver.ts';
import { rejectUnknownOptions } from '../driver-options.ts';
import { FolderBackend } from '../folder-backend.ts';
import type { LayerChain } from '../layer-backend.ts';
import { copyFolderAttributes, moveAside } from '../layer-folders.ts';
import type { LayerRecord } from '../layer-records.ts';
import { type DriverInternals, RecordedDriver } from '../recorded-driver.ts';
import { requireWholeChain, ShortKeys } from '../short-keys.ts';
import { overlayKnobs } from './overlay-knobs.ts';
import { requireOverlay } from './probe-overlay.ts';

/**
 * Layers as folders, joined by the kernel's overlay file system (Documentation/filesystems/overlayfs.rst).
 *
 *     <home>/l/<key>/diff    what the layer changed
 *     <home>/l/<key>/work    the kernel's, on the same file system
 *     <home>/removing/       layers on their way out
 *
 * Keys are eight letters: 200 layers of them fit into the one page that mount(2) takes as options, with the data root's path.
 */
export async function openOverlay(
  options: DriverOptions,
  internals?: DriverInternals,
): Promise<StorageDriver> {
  rejectUnknownOptions('overlay', options.options, []);
  return RecordedDriver.open(
    options,
    async (records) => {
      const backend = new OverlayBackend(options.home, records, await overlayKnobs());
      await backend.prepare();
      return backend;
    },
    internals,
  );
}

class OverlayBackend extends FolderBackend {
  readonly name = 'overlay';
  readonly capabilities: DriverCapabilities = Object.freeze({
    copies: false,
    maxDepth: 200,
    hostWide: false,
  });
  readonly #keys: ShortKeys;
  readonly #knobs: readonly string[];
  #volatile = false;

  constructor(home: string, records: readonly LayerRecord[], knobs: readonly string[]) {
    super(home, 'l');
    this.#keys = new ShortKeys(records);
    this.#knobs = knobs;
  }

  override async prepare(): Promise<void> {
    await super.prepare();
    this.#volatile = (await requireOverlay(this.home)).volatile;
  }

  override newKey(): { readonly key: string } {
    return { key: this.#keys.take() };
  }

  async make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    const folder = this.folder(layer);
    mkdirSync(folder, { mode: 0o700 });
    // Before there is anything in it: the kernel renames from `work` to `diff`, which must be of one project.
    if (layer.size !== undefined) await limitFolder(folder, firstProject(folder), layer.size);
    mkdirSync(join(folder, 'work'), { mode: 0o700 });
    mkdirSync(this.#diff(layer), { mode: 0o755 });
    chmodSync(this.#diff(layer), 0o755);
    // The merged root is the upper one's, so a child takes its parent's owner, mode, attributes and times.
    if (parent) copyFolderAttributes(this.#diff(parent), this.#diff(layer));
  }

  async lacksForSize(): Promise<string | undefined> {
    const probe = await probeProjectQuota(this.home);
    if (probe.answer === 'supported') return undefined;
    return probe.answer === 'unsupported' ? probe.missing : `an answer about project quotas: ${probe.reason}`;
  }

  async destroy(layer: LayerRecord): Promise<(() => Promise<void>) | undefined> {
    if (layer.size !== undefined) await ifExists(forgetLimit(this.folder(layer)));
    const removeRest = await moveAside(this.folder(layer), join(this.removing, layer.key));
    if (removeRest) {
      return async () => {
        await removeRest();
        this.#keys.free(layer.key);
      };
    }
    this.#keys.free(layer.key);
    return undefined;
  }

  override async activate(chain: LayerChain, readOnly: boolean): Promise<readonly MountSpec[]> {
    requireWholeChain(chain);
    const [layer, ...ancestors] = chain;
    if (ancestors.length === 0) {
      // Nothing below it: the kernel wants at least one lower folder, and the tree is the folder itself.
      return [{ type: 'bind', source: this.#diff(layer), target: '', options: [] }];
    }
    // A power cut leaves nothing of it in any case, and after any other end the files are in memory or on the disk.
    if (layer.transient)
      rmSync(join(this.folder(layer), 'work/work/incompat'), { recursive: true, force: true });
    const options = [
      `lowerdir=${ancestors.map(({ key }) => `${key}/diff`).join(':')}`,
      `upperdir=${escapeOption(this.#diff(layer))}`,
      `workdir=${escapeOption(join(this.folder(layer), 'work'))}`,
      ...this.#knobs,
      ...(layer.transient && this.#volatile && !readOnly ? ['volatile'] : []),
    ];
    return [{ type: 'overlay', source: 'overlay', target: '', options, cwd: this.layers }];
  }

  override heldThing([layer, ...ancestors]: LayerChain): HeldThing {
    return layer.parent === undefined
      ? { kind: 'folder', path: this.#diff(layer) }
      : {
          kind: 'overlay',
          folders: [this.#diff(layer), ...ancestors.map((ancestor) => this.#diff(ancestor))],
        };
  }

  /** An overlay that lives on without a mount has the upper folder in use: no second one may be put on it. */
  override hiddenUser(chain: LayerChain): boolean {
    return chain.length > 1 && findOpenHolders(this.heldThing(chain)).length > 0;
  }

  async changeHint(layer: LayerRecord): Promise<ChangeHint> {
    return { kind: 'names', folder: this.#diff(layer) };
  }

  override async status(): Promise<readonly (readonly [string, string])[]> {
    return [
      ['Layer Folder', this.layers],
      ['Mount Options', this.#knobs.join(',') || 'none'],
    ];
  }

  #diff(layer: LayerRecord): string {
    return join(this.folder(layer), 'diff');
  }
}

// Far from the small numbers that people give out, and seldom the same for two layers.
function firstProject(folder: string): number {
  return (createHash('sha256').update(folder).digest().readUInt32LE(0) % lastProject) + 1;
}

// The kernel cuts options at commas that have no backslash before them.
function escapeOption(path: string): string {
  return path.replace(/[\\,]/g, '\\$&');
}
