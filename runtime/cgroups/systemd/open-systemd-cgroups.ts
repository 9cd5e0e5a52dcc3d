import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Cleanup } from '../../base/cleanup.ts';
import { HullError } from '../../base/errors.ts';
import type { Resources } from '../../base/oci.ts';
import { homeOf, settingsOf } from '../apply-limits.ts';
import type { BegunCgroup, Cgroup, CgroupFeatures, CgroupManager } from '../cgroup.ts';
import { defaultWaits } from '../group.ts';
import { findHierarchies, type Hierarchy } from '../hierarchies.ts';
import type { Leaving } from '../occupants.ts';
import { openCgroups, refuseFrozen } from '../open-cgroups.ts';
import { describeProcesses } from '../processes.ts';
import { deviceProperties } from './device-properties.ts';
import { OomLog } from './oom-log.ts';
import { OomWatches } from './oom-watches.ts';
import { startScope } from './start-scope.ts';
import { checkBooted, type Manager, systemctl } from './systemctl.ts';
import { type Kept, SystemdCgroup } from './systemd-cgroup.ts';
import { pathIn, sliceOf } from './unit-path.ts';
import { unitProperties } from './unit-properties.ts';

export interface SystemdOptions {
  readonly manager: Manager;
  /** More properties of new units, as unit files have them. */
  readonly properties?: readonly string[];
  /** Tell of a group that is gone whether the OOM killer has struck in it. */
  readonly watchOom?: boolean;
}

/**
 * Cgroups that systemd makes: each is a transient scope, or a slice, of the name that its path ends with. systemd hands it over (Delegate=yes) and knows its
 * limits as properties; everything else is done as without systemd. Kind `unsupported` where systemd does not run.
 */
export async function openSystemdCgroups(options: SystemdOptions): Promise<CgroupManager> {
  checkBooted();
  const hierarchies = await findHierarchies();
  const plain = await openCgroups({ hierarchies });
  if (options.manager === 'user' && plain.mode !== 'v2')
    throw new HullError(
      `Cannot make cgroups with a user's systemd: found cgroup ${plain.mode}, wanted v2 alone, which can be delegated to users`,
      { kind: 'unsupported' },
    );
  return new SystemdCgroups(plain, hierarchies, options);
}

class SystemdCgroups implements CgroupManager {
  readonly mode: CgroupManager['mode'];
  readonly driver = 'systemd';
  readonly #plain: CgroupManager;
  readonly #hierarchies: readonly Hierarchy[];
  readonly #options: SystemdOptions;
  readonly #oom: { readonly watches: OomWatches; readonly log: OomLog } | undefined;
  readonly #holds = new Map<string, Kept>();

  constructor(plain: CgroupManager, hierarchies: readonly Hierarchy[], options: SystemdOptions) {
    this.mode = plain.mode;
    this.#plain = plain;
    this.#hierarchies = hierarchies;
    this.#options = options;
    this.#oom = options.watchOom ? { watches: new OomWatches(), log: new OomLog() } : undefined;
  }

  features(): Promise<CgroupFeatures> {
    return this.#plain.features();
  }

  /** A daemon's own parent is no group, but what its units' names begin with, in a slice: `system.slice/hull-1a2b3c4d`. */
  pathOf(daemonParent: string, id: string, parent = ''): string {
    if (parent !== '' && !parent.endsWith('.slice'))
      throw new HullError(
        `Cannot use CgroupParent ${JSON.stringify(parent)}: cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"`,
        { kind: 'invalid' },
      );
    return pathIn(parent || sliceOf(daemonParent), `${basename(daemonParent)}-${id}.scope`);
  }

  async list(parent: string): Promise<readonly string[]> {
    const beside = await this.#plain.list(dirname(parent));
    return beside.filter((path) => path.startsWith(`${parent}-`) && path.endsWith('.scope'));
  }

  /** systemd has nobody in groups above others. */
  leaveParents(): Leaving | undefined {
    return undefined;
  }

  logMark(): number | undefined {
    return this.#oom?.log.mark();
  }

  open(path: string): SystemdCgroup {
    // Which looks at the path.
    return new SystemdCgroup(this.#plain.open(path).path, {
      manager: this.#options.manager,
      unit: basename(path),
      hierarchies: this.#hierarchies,
      waits: defaultWaits,
      oom: this.#oom,
      holds: this.#holds,
    });
  }

  async begin(path: string, resources: Resources): Promise<BegunCgroup> {
    return { group: await this.create(path, resources), finish: async () => undefined };
  }

  async create(path: string, resources: Resources): Promise<Cgroup> {
    const left = this.open(path);
    const pids = await left.pids();
    if (pids.length > 0)
      throw new HullError(
        `Cannot create cgroup ${JSON.stringify(path)}: found processes in it, ${await describeProcesses(pids)}; wanted none`,
        { kind: 'conflict' },
      );
    await left.remove();
    return (await this.take(path, resources)).group;
  }

  async take(
    path: string,
    resources: Resources,
  ): Promise<{ readonly group: Cgroup; readonly found: number }> {
    const group = this.open(path);
    const properties = this.#propertiesOf(resources);
    if (path.endsWith('.slice')) return await this.#takeSlice(group, resources, properties);
    await refuseFrozen(group);
    await using undo = new Cleanup();
    const hold = await startScope(this.#options.manager, path, [...scopeProperties, ...properties]);
    // Its own process would count against the limit, which may be 1.
    const { pids } = resources;
    const more = pids && pids.limit > 0 ? { pids: { limit: pids.limit + 1 } } : {};
    this.#holds.set(group.path, { hold, limits: pids ? { pids } : {} });
    undo.push(() => group.remove());
    const { found } = await this.#plain.take(path, { ...resources, ...more });
    undo.commit();
    return { group, found: found - 1 };
  }

  /** A slice needs no process. It cannot be handed over, and is what its name says. */
  async #takeSlice(
    group: SystemdCgroup,
    resources: Resources,
    properties: readonly string[],
  ): Promise<{ readonly group: Cgroup; readonly found: number }> {
    const { manager } = this.#options;
    const unit = basename(group.path);
    await using undo = new Cleanup();
    await systemctl(manager, 'start', unit);
    undo.push(() => group.remove());
    await systemctl(manager, 'set-property', '--runtime', unit, ...accounting, ...properties);
    const { found } = await this.#plain.take(group.path, resources);
    undo.commit();
    return { group, found };
  }

  #propertiesOf(resources: Resources): readonly string[] {
    const versionOf = (name: string) => homeOf(this.#hierarchies, name)?.version;
    const settings = settingsOf(this.#hierarchies, resources, {});
    const { devices } = resources;
    return [
      ...unitProperties(settings, versionOf, {}),
      ...(devices && versionOf('devices') === 1
        ? deviceProperties(devices, readFileSync('/proc/devices', 'utf8'))
        : []),
      ...(this.#options.properties ?? []),
    ];
  }
}

/** Usage can be read of every unit, and none loses a controller when a neighbour goes. */
const accounting = ['CPUAccounting=yes', 'MemoryAccounting=yes', 'IOAccounting=yes', 'TasksAccounting=yes'];

/** Its order at a shutdown is the engine's business; what is below it is the container's. */
const scopeProperties = ['Delegate=yes', 'DefaultDependencies=no', ...accounting];
