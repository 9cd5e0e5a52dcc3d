import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HeldThing } from '../kernel/holders.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';
import type { DriverCapabilities } from './driver.ts';
import type { LayerBackend, LayerChain } from './layer-backend.ts';
import { sweepFolders } from './layer-folders.ts';
import type { LayerRecord } from './layer-records.ts';
import { mountBelow } from './remove-tree.ts';

/**
 * Layers that are folders of the data root's own file system, `<home>/<layers>/<key>`, with `<home>/removing` for those on their way out:
 * nothing of them is host-wide, and where a driver says no more, a layer is seen by a bind mount of its folder.
 */
export abstract class FolderBackend implements LayerBackend {
  abstract readonly name: string;
  abstract readonly capabilities: DriverCapabilities;
  readonly keepsOrder: boolean = true;
  protected readonly home: string;
  protected readonly layers: string;
  protected readonly removing: string;

  constructor(home: string, layers: string) {
    this.home = home;
    this.layers = join(home, layers);
    this.removing = join(home, 'removing');
  }

  abstract make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void>;
  abstract destroy(layer: LayerRecord): Promise<(() => Promise<void>) | void>;
  abstract lacksForSize(size: number, parent: LayerRecord | undefined): Promise<string | undefined>;

  async prepare(): Promise<void> {
    await mkdir(this.layers, { recursive: true, mode: 0o700 });
    await mkdir(this.removing, { recursive: true, mode: 0o700 });
  }

  newKey(id: string): { readonly key: string } {
    return { key: id };
  }

  async made(): Promise<void> {}

  async whyNotRemovable(layer: LayerRecord): Promise<string | undefined> {
    return mountBelow(this.folder(layer));
  }

  async activate([layer]: LayerChain, _readOnly: boolean): Promise<readonly MountSpec[]> {
    return [{ type: 'bind', source: this.folder(layer), target: '', options: [] }];
  }

  async deactivate(): Promise<boolean> {
    return true;
  }

  async deferDeactivation(): Promise<boolean> {
    return false;
  }

  heldThing([layer]: LayerChain): HeldThing | undefined {
    return { kind: 'folder', path: this.folder(layer) };
  }

  pinned(_chain: LayerChain): boolean {
    return false;
  }

  hiddenUser(_chain: LayerChain): boolean {
    return false;
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    return [['Layer Folder', this.layers]];
  }

  async sweep(records: readonly LayerRecord[]): Promise<readonly string[]> {
    return sweepFolders(this.layers, this.removing, new Set(records.map(({ key }) => key)));
  }

  async close(): Promise<void> {}

  protected folder({ key }: LayerRecord): string {
    return join(this.layers, key);
  }
}
