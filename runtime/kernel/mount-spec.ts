/**
 * A mount as data: what a storage driver returns and the launch compiler turns into system calls.
 * Nothing here is performed in the host's mount namespace.
 */
export interface MountSpec {
  /** `overlay`, `ext4`, `xfs`, `bind`, … `bind` means MS_BIND of `source`. */
  readonly type: string;
  /** Absolute path or device; for file systems without a source the type's name. */
  readonly source: string;
  /** Where it goes, relative to the container's root; '' is the root itself. */
  readonly target: string;
  /** fstab words (`ro`, `nosuid`, `lowerdir=…`), one each. Paths in them may be relative to `cwd`. */
  readonly options: readonly string[];
  /** Folder that is entered for the mount call, so that options stay below one page (overlay with many lowers). */
  readonly cwd?: string;
  /** Files below /sys that are written once it is mounted, where the kernel has them. */
  readonly tuning?: readonly { readonly file: string; readonly value: string }[];
}
