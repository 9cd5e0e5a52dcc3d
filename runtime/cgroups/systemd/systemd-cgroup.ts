import type { Resources } from '../../base/oci.ts';
import { currentOf, homeOf, settingsOf } from '../apply-limits.ts';
import type { RunMark } from '../cgroup.ts';
import { type CgroupWaits, HostCgroup } from '../group.ts';
import type { Hierarchy } from '../hierarchies.ts';
import type { OomLog } from './oom-log.ts';
import type { OomWatches } from './oom-watches.ts';
import type { Hold } from './start-scope.ts';
import { type Manager, stopUnit, systemctl } from './systemctl.ts';
import { unitProperties } from './unit-properties.ts';

export interface SystemdPlace {
  readonly manager: Manager;
  readonly unit: string;
  readonly hierarchies: readonly Hierarchy[];
  readonly waits: CgroupWaits;
  /** Where somebody asks about groups that are gone. */
  readonly oom?: { readonly watches: OomWatches; readonly log: OomLog } | undefined;
  /** By path, and so for every handle of a group. */
  readonly holds: Map<string, Kept>;
}

/** A scope before its first process is in it. */
export interface Kept {
  readonly hold: Hold;
  /** Those which the hold was in the way of. */
  readonly limits: Resources;
}

/** A group that systemd has made for a unit, and hull in the hierarchies that systemd does not know. */
export class SystemdCgroup extends HostCgroup {
  readonly #place: SystemdPlace;

  constructor(path: string, place: SystemdPlace) {
    super(path, place.hierarchies, place.waits);
    this.#place = place;
  }

  override async entered(): Promise<void> {
    const limits = await this.#release();
    if (limits?.pids) await super.update(limits);
    this.#place.oom?.watches.begin(this);
  }

  override async update(resources: Resources): Promise<void> {
    const { manager, unit, hierarchies } = this.#place;
    // First by files: the kernel knows better what can be, and on an error all is as before.
    await super.update(resources);
    const current = currentOf(hierarchies, this.path);
    const settings = settingsOf(hierarchies, resources, current);
    const words = unitProperties(settings, (name) => homeOf(hierarchies, name)?.version, current);
    if (words.length === 0) return;
    await systemctl(manager, 'set-property', '--runtime', unit, ...words);
    // systemd has written what it knows: a quota rounded, and without one its own period.
    const { quota, period } = current;
    const cpu =
      quota === undefined || period === undefined ? {} : { cpu: { ...resources.cpu, quota, period } };
    await super.update({ ...resources, ...cpu });
  }

  override async oomKilled(run?: RunMark): Promise<boolean> {
    const { oom, unit } = this.#place;
    const kills = this.oomKills();
    if (kills !== undefined && kills > 0) return true;
    if (oom?.watches.struck(this.path)) return true;
    return kills === undefined && run !== undefined && (oom?.log.struck(unit, run) ?? false);
  }

  override async remove(): Promise<void> {
    await this.#release();
    await super.remove();
    await this.#stop();
  }

  override async removeEmpty(): Promise<boolean> {
    await this.#release();
    if (!(await super.removeEmpty())) return false;
    await this.#stop();
    return true;
  }

  async #release(): Promise<Resources | undefined> {
    const kept = this.#place.holds.get(this.path);
    this.#place.holds.delete(this.path);
    await kept?.hold.release();
    return kept?.limits;
  }

  async #stop(): Promise<void> {
    const { manager, unit, oom } = this.#place;
    oom?.watches.end(this.path);
    await stopUnit(manager, unit);
    // What was set outlives a slice, as it may be started again by its name.
    if (unit.endsWith('.slice')) await systemctl(manager, 'revert', unit);
  }
}
