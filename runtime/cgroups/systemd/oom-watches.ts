import { HullError } from '../../base/errors.ts';
import type { Cgroup } from '../cgroup.ts';

/**
 * In which scopes the OOM killer has struck. systemd removes a scope's group, and with it the kernel's count, as soon as its last process has gone, so a
 * daemon that wants to know afterwards has to look while it is there. A kill that ends the scope may still come too late to be seen: `oom-log.ts`.
 */
export class OomWatches {
  readonly #watches = new Map<string, { struck: boolean; readonly stop: AbortController }>();

  /** Afterwards the group is watched until it is gone; what was known of an earlier one of its path is forgotten. */
  begin(group: Cgroup): void {
    this.end(group.path);
    const watch = { struck: false, stop: new AbortController() };
    this.#watches.set(group.path, watch);
    void (async () => {
      // One that an earlier daemon started has a past.
      watch.struck ||= await group.oomKilled();
      for await (const { oomKill } of group.memoryEvents(watch.stop.signal)) watch.struck ||= oomKill > 0;
    })().catch((error: unknown) => {
      // Without a memory controller nobody is killed by it.
      if (!(error instanceof HullError && error.kind === 'unsupported')) throw error;
    });
  }

  struck(path: string): boolean {
    return this.#watches.get(path)?.struck ?? false;
  }

  end(path: string): void {
    this.#watches.get(path)?.stop.abort();
    this.#watches.delete(path);
  }
}
