import type { MountSpec } from '../kernel/mount-spec.ts';

/**
 * # Storage drivers
 *
 * A **layer** is a tree of files that starts as an exact copy of its **parent** (or empty) and is changed
 * afterwards. Image layers are filled once and then only ever used as parents; every container has one layer of
 * its own. How the copy is made without copying (a union mount, a thin snapshot, a real copy) is the driver's secret.
 *
 * **Drivers describe, the core performs.** `acquire` answers how the layer is seen as one tree: mounts as *data*.
 * They are performed inside the private mount namespace of a container or of a helper, never in the host's, so
 * they end with the last process that uses them, however it ended. What a driver does hold host-wide (a
 * device-mapper device) is there from `acquire` to `release`.
 *
 * **State the world, not the call.** After `create` the layer exists, after `remove` it is absent, after `release`
 * nothing host-wide is held; each may be called again, after a crash as well. Records are written before what
 * they describe is made, so `reconcile` can compare them with the kernel at every start.
 *
 * **What can never happen:** a layer that is half there; a parent changed by a child; a root mounted by two owners at
 * once (whoever mounts one holds `lockPath` by flock); a removal that reports success with something left behind;
 * a busy resource without the name of who holds it.
 *
 * @example
 * await driver.create('base', undefined);
 * await withRoot(driver, 'base', (root) => untar(stream, root));
 * await driver.create('c1', 'base');
 * const { mounts, lockPath } = await driver.acquire('c1');   // → launch
 * …
 * await driver.release('c1');
 * await driver.remove('c1');
 */
export interface StorageDriver {
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  /** Afterwards `id` exists with the content of `parent`, or empty (root folder 0755 0:0). Error kinds: conflict, not-found (parent), unsupported (size). */
  create(id: LayerId, parent: LayerId | undefined, options?: CreateOptions): Promise<void>;
  /** Afterwards `id` is absent. Kind `busy` names the holders; the layer then stays and can be removed later. */
  remove(id: LayerId): Promise<void>;
  /** With `transient` only those that were made so. */
  list(options?: { readonly transient?: boolean }): Promise<readonly LayerId[]>;
  /** How to mount the layer; makes what the mounts need host-wide. Kind `busy` where a leaked mount still shows it. */
  acquire(id: LayerId, options?: AcquireOptions): Promise<AcquiredLayer>;
  /** Afterwards the driver holds nothing host-wide for `id`. Kind `busy` names the holders; finished at a later try or start. */
  release(id: LayerId): Promise<void>;
  /**
   * What spares a comparison of the layer with its parent the look at every file of both; undefined where nothing does, or there is no
   * such layer. To be asked while both are open (`openTree`), and good as long as they are.
   */
  changeHint(id: LayerId): Promise<ChangeHint | undefined>;
  /** The layer that `id` was made upon; undefined where it is upon nothing, or there is no such layer. */
  parentOf(id: LayerId): LayerId | undefined;
  /** Label and value pairs for `docker info`. */
  status(): Promise<readonly (readonly [string, string])[]>;
  /** At daemon start: completes or undoes what a crash interrupted; releases what no layer in `inUse` needs; says what it did. */
  reconcile(inUse: ReadonlySet<LayerId>): Promise<readonly string[]>;
  /** Daemon shut-down: gives back what the driver itself holds (pool, loop devices), as far as nobody uses it. */
  close(): Promise<void>;
}

/** `[A-Za-z0-9][A-Za-z0-9_.-]*`, at most 128 characters. */
export type LayerId = string;

export interface CreateOptions {
  /**
   * Bytes that the layer may take (`--storage-opt size=`): of its own where the driver counts those (overlay), else with what it
   * has from its parent. Writing more is EDQUOT or ENOSPC for whoever writes. Default: no limit of its own.
   */
  readonly size?: number;
  /**
   * Whoever asks for it removes it before anything else after a power cut (`list` tells which they are): no create, and nothing that is written
   * in it, waits for the disk. Default false.
   */
  readonly transient?: boolean;
}

export interface AcquireOptions {
  /**
   * Only the caller's own helper will see the tree, and is gone before `release`: no container that others can look
   * into. Spares the next `acquire` the search through everybody's open files. Default false.
   */
  readonly brief?: boolean;
  /** Nothing is written through these mounts, and others may have the layer as their parent meanwhile. Default false. */
  readonly readOnly?: boolean;
}

export interface AcquiredLayer {
  /** In order; the first has target ''. */
  readonly mounts: readonly MountSpec[];
  /** Lock file that whoever performs the mounts holds exclusively (flock) as long as they exist. */
  readonly lockPath: string;
}

/** What a driver knows of how a layer differs from its parent. It never leaves a difference out. */
export type ChangeHint =
  /** A folder of the host that has, each at its own place, every name that may differ (an overlay's upper folder), to be read only. */
  | { readonly kind: 'names'; readonly folder: string }
  /**
   * Two file systems, one made as a copy of the other. An inode that is the same in both has the same attributes and content; of a
   * folder only that is not said, what names it has.
   */
  | { readonly kind: 'inodes'; readonly isSame: (inode: number) => boolean };

/** Facts about a driver, as data. */
export interface DriverCapabilities {
  /** The parent's content is copied at `create`. */
  readonly copies: boolean;
  /** Most layers in one chain, where there is a limit. */
  readonly maxDepth?: number;
  /** `acquire` holds a kernel object that other processes can pin. */
  readonly hostWide: boolean;
}

export interface DriverOptions {
  /** `<data-root>/<driver name>`: all that lasts. */
  readonly home: string;
  /** `<exec-root>/<driver name>`: on tmpfs, gone after a reboot (locks, loop records). */
  readonly runDir: string;
  /** `--storage-opt k=v`, as `dm.basesize=1G`. Unknown keys are errors of kind `invalid`. */
  readonly options: ReadonlyMap<string, string>;
}
