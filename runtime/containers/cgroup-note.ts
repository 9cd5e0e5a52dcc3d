import { basename, join } from 'node:path';
import { jsonText, readJson, replaceFile } from '../base/atomic-file.ts';
import type { CgroupManager } from '../cgroups/cgroup.ts';
import type { Container, RunCgroup } from './container.ts';
import { type Engine, nextCgroupOf, runDirOf } from './engine.ts';

/** What the next daemon has to know of a run's group, whatever driver and parent it has itself. */
interface CgroupNote {
  readonly driver: CgroupManager['driver'];
  readonly path: string;
  readonly logMark?: number;
}

/**
 * Decides which group the run that begins now has. Unless it is where every daemon looks (hull's own groups, at the root), that is noted in the run folder before the
 * group is made, so that the next daemon finds it with another driver and parent, and where the container's record is damaged.
 */
export function noteCgroup(engine: Engine, container: Container): void {
  const cgroup = nextCgroupOf(engine, container);
  const logMark = engine.cgroups.logMark();
  container.run = { cgroup, logMark };
  const { driver } = engine.cgroups;
  if (driver === 'cgroupfs' && cgroup.path === plainPath(engine, container.id)) return;
  const note: CgroupNote = { driver, path: cgroup.path, ...(logMark === undefined ? {} : { logMark }) };
  replaceFile(join(runDirOf(engine, container.id), fileName), jsonText(note));
}

/** The group of a run that an earlier daemon began, of which there may be nothing; undefined where there is no such run folder. */
export async function notedCgroup(engine: Engine, id: string): Promise<RunCgroup | undefined> {
  const note = (await readJson(join(runDirOf(engine, id), fileName))) as CgroupNote | undefined;
  if (!note) return undefined;
  const { driver, path, logMark } = note;
  return { cgroup: (await engine.cgroupsOf(driver)).open(path), logMark };
}

/** Takes over what an earlier daemon has decided for the run under way. */
export async function findCgroup(engine: Engine, container: Container): Promise<void> {
  container.run = (await notedCgroup(engine, container.id)) ?? {
    cgroup: (await engine.cgroupsOf('cgroupfs')).open(plainPath(engine, container.id)),
    logMark: undefined,
  };
}

/** Below which a daemon's groups are where nothing was asked for. */
export const plainParent = ({ cgroupParent }: Engine): string => basename(cgroupParent);

const plainPath = (engine: Engine, id: string): string => `${plainParent(engine)}/${id}`;

const fileName = 'cgroup';
