import type { Engine } from '../engine.ts';
import type { ContainerRecord } from '../record.ts';
import { isAlive } from '../record.ts';
import type { MountPoint, VolumePoint } from './mount-point.ts';

/** Ids of all containers that have the volume among their mounts, also of those that belong to another storage driver. */
export function usersOfVolume(engine: Engine, name: string, except?: string): readonly string[] {
  const records = [...engine.containers.list().map(({ record }) => record), ...engine.containers.setAside];
  return records.filter(({ id, mounts }) => id !== except && uses(mounts, name)).map(({ id }) => id);
}

/** Whether a container that runs, or is about to, has the volume mounted. */
export function isVolumeNeeded(engine: Engine, name: string, except?: string): boolean {
  return engine.containers
    .list()
    .some(({ id, state, record }) => id !== except && mayRun(state) && uses(record.mounts, name));
}

/** The names of all volumes that containers which run have mounted. */
export function neededVolumes(engine: Engine): ReadonlySet<string> {
  const running = engine.containers.list().filter(({ state }) => mayRun(state));
  return new Set(running.flatMap(({ record }) => volumesOf(record.mounts).map(({ name }) => name)));
}

export function volumesOf(mounts: readonly MountPoint[]): readonly VolumePoint[] {
  return mounts.filter((point) => point.type === 'volume');
}

const uses = (mounts: readonly MountPoint[], name: string): boolean =>
  mounts.some((point) => point.type === 'volume' && point.name === name);

const mayRun = (state: ContainerRecord['state']): boolean => isAlive(state) || state.kind === 'starting';
