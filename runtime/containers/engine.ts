import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import type { Cgroup, CgroupManager } from '../cgroups/cgroup.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { ImageDepot } from '../images/registry/depot.ts';
import type { Registry } from '../images/registry/registry.ts';
import type { StorageDriver } from '../storage/driver.ts';
import type { VolumeStore } from '../volumes/volume-store.ts';
import type { Container } from './container.ts';
import type { ContainerTable } from './container-table.ts';
import type { EventBus } from './events.ts';
import type { ContainerConfig } from './record.ts';
import type { RecordStore } from './record-store.ts';
import type { Machine } from './spec.ts';
import type { AccountFiles } from './users.ts';

/** What every verb works with. One per daemon. */
export interface Engine {
  readonly driver: StorageDriver;
  readonly images: ImageStore & ImageDepot;
  /** Loaded when it is first asked for. */
  readonly registry: () => Promise<Registry>;
  readonly volumes: VolumeStore;
  /** Makes the groups of new runs. */
  readonly cgroups: CgroupManager;
  /** Also the one that an earlier daemon of this data root may have had. Kind `unsupported` where systemd does not run. */
  readonly cgroupsOf: (driver: CgroupManager['driver']) => Promise<CgroupManager>;
  readonly records: RecordStore;
  readonly containers: ContainerTable;
  readonly events: EventBus;
  readonly log: Log;
  /** `<exec-root>/containers`: on tmpfs. */
  readonly runRoot: string;
  /** `<data-root>/builds`: contexts of builds under way; emptied at a start. */
  readonly buildRoot: string;
  /** The folder of all containers' cgroups, as `hull-1a2b3c4d`; what their names begin with where systemd makes them. */
  readonly cgroupParent: string;
  /** /proc/sys/kernel/random/boot_id. */
  readonly bootId: string;
  /** What the daemon itself may have, and so give away (its bounding set): names in the kernel's order. */
  readonly capabilities: readonly string[];
  readonly machine: Machine;
  /** Account files of images' top layers, which never change; a first start need not mount the root to read them. */
  readonly accounts: Map<string, AccountFiles>;
  readonly timing: Timing;
  /** Aborted when the daemon begins to stop its containers: nothing is started again. */
  readonly stopping: AbortSignal;
  /** Aborted when the daemon ends: timers and follow-up work stop. */
  readonly signal: AbortSignal;
}

export interface Timing {
  /** Between SIGTERM and SIGKILL, where the client does not say. */
  readonly stopGraceMs: number;
  /** From SIGKILL until a container that is still there is an error. */
  readonly killTimeoutMs: number;
  /** Before the first automatic restart; doubles up to `restartMaxMs`. */
  readonly restartFirstMs: number;
  readonly restartMaxMs: number;
  /** A run this long starts the doubling anew. */
  readonly restartResetMs: number;
  /** Between attempts to release a root that is held. */
  readonly releaseRetryMs: number;
}

export const defaultTiming: Timing = {
  stopGraceMs: 10_000,
  killTimeoutMs: 30_000,
  restartFirstMs: 100,
  restartMaxMs: 60_000,
  restartResetMs: 10_000,
  releaseRetryMs: 2_000,
};

/** Of the container's runtime files: the launch program's FIFOs and exit record. */
export function runDirOf(engine: Engine, id: string): string {
  return join(engine.runRoot, id);
}

export function logPathOf(engine: Engine, id: string): string {
  return join(engine.records.folder(id), 'log');
}

/** Of the run under way, or of the next one. Kind `invalid` where there is none, and a CgroupParent that another driver's daemon took. */
export function cgroupOf(engine: Engine, container: Container): Cgroup {
  return container.run?.cgroup ?? nextCgroupOf(engine, container);
}

export function nextCgroupOf(engine: Engine, container: Container): Cgroup {
  return engine.cgroups.open(cgroupPathOf(engine, container.id, container.record.config));
}

/** Below HostConfig.CgroupParent; else below the daemon's. */
export function cgroupPathOf(engine: Engine, id: string, { HostConfig }: ContainerConfig): string {
  // Records of before this field have none.
  return engine.cgroups.pathOf(engine.cgroupParent, id, HostConfig.CgroupParent ?? '');
}
