import type { HeldThing } from '../kernel/holders.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';
import type { ChangeHint, DriverCapabilities } from './driver.ts';
import type { LayerRecord } from './layer-records.ts';

/** A layer and its ancestors, topmost first. */
export type LayerChain = readonly [layer: LayerRecord, ...ancestors: LayerRecord[]];

/**
 * What is special about one storage driver. `RecordedDriver` does what is the same for all: ids, records written
 * first, turns, locks, parents and children, the busy checks, reconciling. Every method may find its work done.
 */
export interface LayerBackend {
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  /**
   * A layer is nothing but names and files on the file system that its record is on. Its journal keeps them in order: after a power cut
   * an intent is there if anything is that was done for it, also unflushed. Default false.
   */
  readonly keepsOrder?: boolean;
  /** A removal succeeds where a stranger still uses the layer; it is finished when they have let go. Default false. */
  readonly defersRemoval?: boolean;
  /** The driver's name for a layer that is about to be made, and what else its record needs. */
  newKey(id: string, parent: LayerRecord | undefined): Pick<LayerRecord, 'key' | 'transaction' | 'size'>;
  /** Makes the layer; an intent record is on the disk. */
  make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void>;
  /** The record says `ready` now. */
  made(layer: LayerRecord): Promise<void>;
  /** What is missing for a layer of at most so many bytes, as a noun; undefined where it can be made. */
  lacksForSize(size: number, parent: LayerRecord | undefined): Promise<string | undefined>;
  /** What stands in the way of `destroy`, as the end of a sentence. */
  whyNotRemovable(layer: LayerRecord): Promise<string | undefined>;
  /**
   * Afterwards nothing of the layer is left, also of a half-made one; or it is out of the way, and the answer takes the little that is left
   * of it away. `parent` is absent where its record is damaged, too.
   */
  destroy(layer: LayerRecord, parent: LayerRecord | undefined): Promise<(() => Promise<void>) | void>;
  /** Mounts that show the layer. Makes devices. Who asks for it `readOnly` mounts it so (`readOnlyMount`). */
  activate(chain: LayerChain, readOnly: boolean): Promise<readonly MountSpec[]>;
  /** Afterwards nothing host-wide is held; false where somebody still uses it. */
  deactivate(layer: LayerRecord): Promise<boolean>;
  /** It stayed in use: have it go away by itself as soon as its users do, where the kernel can. Answers whether it will. */
  deferDeactivation(layer: LayerRecord): Promise<boolean>;
  /** What a leaked mount or an open file would hold. Undefined where the layer holds nothing now. */
  heldThing(chain: LayerChain): HeldThing | undefined;
  /** Whether the kernel counts a user, be it one that no mount table shows. Cheap. */
  pinned(chain: LayerChain): boolean;
  /** Whether a user that no mount table shows is in the way of mounting it again. Looks at every open file. */
  hiddenUser(chain: LayerChain): boolean;
  /** As StorageDriver has it. Default: none. */
  changeHint?(layer: LayerRecord, parent: LayerRecord): Promise<ChangeHint | undefined>;
  status(): Promise<readonly (readonly [string, string])[]>;
  /** Removes what no record describes; one sentence for each thing. */
  sweep(records: readonly LayerRecord[]): Promise<readonly string[]>;
  close(): Promise<void>;
}
