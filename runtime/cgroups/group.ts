import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HullError } from '../base/errors.ts';
import { monotonicMs } from '../base/monotonic.ts';
import type { Resources } from '../base/oci.ts';
import type { CgroupEntry } from '../launch/types.ts';
import { applyLimits, controllersOf, currentOf, homeOf } from './apply-limits.ts';
import type { Cgroup, RunMark } from './cgroup.ts';
import { ifGone, readField, writeValue } from './files.ts';
import { Freezer } from './freezer.ts';
import type { Hierarchy } from './hierarchies.ts';
import { enableControllers } from './make-group.ts';
import { describeProcesses, killProcess } from './processes.ts';
import type { MemoryEvents } from './stats/memory-stats.ts';
import { type CgroupStats, readStats } from './stats/stats.ts';
import { groupAndBelow, processesIn, removeEmptyParents, removeTree } from './tree.ts';
import { watchMemory } from './watch-memory.ts';

/** How long the kernel may take; a test can shrink them. */
export interface CgroupWaits {
  readonly freezeMs: number;
  readonly removeMs: number;
}

export const defaultWaits: CgroupWaits = { freezeMs: 5_000, removeMs: 5_000 };

/** A group of the host: one folder of the same name in every hierarchy. */
export class HostCgroup implements Cgroup {
  readonly path: string;
  readonly #hierarchies: readonly Hierarchy[];
  readonly #waits: CgroupWaits;
  readonly #freezer: Freezer | undefined;

  constructor(path: string, hierarchies: readonly Hierarchy[], waits: CgroupWaits) {
    this.path = path;
    this.#hierarchies = hierarchies;
    this.#waits = waits;
    this.#freezer = Freezer.of(hierarchies);
  }

  get entry(): CgroupEntry {
    const v1 = this.#hierarchies.filter(({ version }) => version === 1);
    const v2 = this.#hierarchies.find(({ version }) => version === 2);
    return {
      v1Procs: v1.map(({ root }) => join(root, this.path, 'cgroup.procs')),
      ...(v2 && { v2Dir: join(v2.root, this.path) }),
      path: this.path,
    };
  }

  async entered(): Promise<void> {
    // A folder stays by itself.
  }

  async exists(): Promise<boolean> {
    return this.#folders().some((folder) => existsSync(folder));
  }

  async pids(): Promise<readonly number[]> {
    return processesIn(this.#hierarchies, this.path);
  }

  async update(resources: Resources): Promise<void> {
    // A group has only the controllers that its first limits needed.
    const wanted = controllersOf(this.#hierarchies, resources, currentOf(this.#hierarchies, this.path));
    for (const hierarchy of this.#hierarchies) enableControllers(hierarchy, this.path, wanted);
    await applyLimits(this.#hierarchies, this.path, resources);
  }

  async kill(signal: AbortSignal): Promise<void> {
    for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
      const pids = await this.#killOnce();
      if (pids.length === 0) return;
      if (signal.aborted) {
        throw new HullError(
          `Cannot kill all processes of cgroup ${JSON.stringify(this.path)}: still there ${await describeProcesses(pids)}, wanted none`,
          { kind: 'busy', cause: signal.reason },
        );
      }
      await sleep(pause);
    }
  }

  async freeze(): Promise<void> {
    await this.#needFreezer().freeze(this.path, this.#waits.freezeMs);
  }

  async thaw(): Promise<void> {
    this.#needFreezer().thaw(this.path);
  }

  async frozen(): Promise<boolean> {
    return this.#freezer?.frozen(this.path) ?? false;
  }

  async oomKilled(_run?: RunMark): Promise<boolean> {
    return (this.oomKills() ?? 0) > 0;
  }

  /** Undefined where nobody counts: the group is gone, or the kernel has no count. */
  protected oomKills(): number | undefined {
    const home = homeOf(this.#hierarchies, 'memory');
    if (!home) return undefined;
    const folder = join(home.root, this.path);
    // v2 counts a group with all below it, also those removed since; v1 each group for itself.
    const counts =
      home.version === 2
        ? [readField(join(folder, 'memory.events'), 'oom_kill')]
        : groupAndBelow(folder).map((each) => readField(join(each, 'memory.oom_control'), 'oom_kill'));
    const known = counts.filter((count) => count !== undefined);
    return known.length === 0 ? undefined : known.reduce((sum, count) => sum + count, 0);
  }

  async stats(): Promise<CgroupStats> {
    return readStats(this.#hierarchies, this.path);
  }

  memoryEvents(signal: AbortSignal): AsyncIterable<MemoryEvents> {
    return watchMemory(this.#hierarchies, this.path, signal);
  }

  async remove(): Promise<void> {
    const deadline = monotonicMs() + this.#waits.removeMs;
    for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
      const busy = this.#tryRemove();
      if (busy.length === 0) return;
      if (monotonicMs() > deadline) throw await this.#stillBusy(busy);
      await sleep(pause);
    }
  }

  async removeEmpty(): Promise<boolean> {
    return this.#tryRemove().length === 0;
  }

  /** Answers the folders that the kernel still calls busy. */
  #tryRemove(): readonly string[] {
    const busy = this.#folders().flatMap(removeTree);
    if (busy.length === 0)
      for (const hierarchy of this.#hierarchies) removeEmptyParents(hierarchy, this.path);
    return busy;
  }

  /** Signals everything once; answers what was alive. Groups are thawed, or the killed would hang in state D. */
  async #killOnce(): Promise<readonly number[]> {
    const killedByKernel = this.#killByKernel();
    const pids = await this.pids();
    if (pids.length > 0 && !killedByKernel) await this.#holdStill();
    try {
      // Read again: what forked before it was held still is in the list now, and no number can be reused meanwhile.
      for (const pid of pids.length > 0 ? await this.pids() : []) killProcess(pid);
    } finally {
      this.#freezer?.thawAll(this.path);
    }
    return pids;
  }

  /** cgroup.kill (Linux 5.14): the whole v2 subtree at once, forks included. */
  #killByKernel(): boolean {
    const v2 = this.#hierarchies.find(({ version }) => version === 2);
    const file = v2 && join(v2.root, this.path, 'cgroup.kill');
    return file !== undefined && ifGone(() => [writeValue(file, '1')]) !== undefined;
  }

  /** Best effort and short: a group that does not freeze is killed process by process, round after round. */
  async #holdStill(): Promise<void> {
    try {
      await this.#freezer?.freeze(this.path, Math.min(200, this.#waits.freezeMs));
    } catch (error) {
      if (!(error instanceof HullError)) throw error;
    }
  }

  async #stillBusy(busy: readonly string[]): Promise<HullError> {
    const pids = await this.pids();
    const who =
      pids.length > 0
        ? `held by ${await describeProcesses(pids)}`
        : 'with no process in it that is visible here';
    return new HullError(
      `Cannot remove cgroup ${busy.map((folder) => JSON.stringify(folder)).join(', ')}: busy, ${who}`,
      {
        kind: 'busy',
      },
    );
  }

  #needFreezer(): Freezer {
    if (this.#freezer) return this.#freezer;
    throw new HullError(
      `Cannot freeze cgroup ${JSON.stringify(this.path)}: found no freezer, wanted v1 freezer or cgroup v2`,
      {
        kind: 'unsupported',
      },
    );
  }

  #folders(): readonly string[] {
    return this.#hierarchies.map(({ root }) => join(root, this.path));
  }
}
