import { HullError } from '../base/errors.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';

/** A tree that only a helper process has mounted; disposing ends the helper and waits until the mounts are gone. */
export interface HeldRoot extends AsyncDisposable {
  /**
   * `/proc/<pid>/cwd`: a magic link into the helper's namespace, good for plain file calls while held. Do not
   * resolve it (realpath), and mind that absolute links inside the tree lead out of it.
   */
  readonly path: string;
  /** Of the helper. */
  readonly pid: number;
}

export interface HoldOptions {
  /** Lock file (made where absent) that the helper holds exclusively; EWOULDBLOCK (`EAGAIN`) where another has it. */
  readonly lockPath?: string;
}

/**
 * Performs the mounts in a mount namespace of a helper process and keeps them until disposed, or until this
 * process dies. LaunchError names the step that failed.
 *
 * @example
 * await using root = await holdMounts(layer.mounts, { lockPath: layer.lockPath });
 * await writeFile(join(root.path, 'hello'), 'world');
 */
export async function holdMounts(
  mounts: readonly MountSpec[],
  _options: HoldOptions = {},
): Promise<HeldRoot> {
  throw new HullError(`Cannot hold ${mounts.length} mounts: launching is being built`, { kind: 'unsupported' });
}
