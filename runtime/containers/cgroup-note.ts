import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../base/errors.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine, runDirOf } from './engine.ts';

/**
 * A group below somebody else's parent (HostConfig.CgroupParent) is in no folder of the daemon's own: its path is noted in the run folder
 * before it is made, so that the next daemon finds it also where the container's record is damaged.
 */
export async function noteCgroup(engine: Engine, container: Container): Promise<void> {
  if (!container.record.config.HostConfig.CgroupParent) return;
  await writeFile(join(runDirOf(engine, container.id), fileName), cgroupOf(engine, container).path);
}

/** Undefined where the run had its group below the daemon's parent, or there is no such run folder. */
export async function notedCgroup(engine: Engine, id: string): Promise<string | undefined> {
  const path = await ifExists(readFile(join(runDirOf(engine, id), fileName), 'utf8'));
  // A write that a crash cut short leaves nothing or a part: then no group had been made yet.
  const name = path?.split('/').at(-1);
  return name === id || name?.endsWith(`-${id}.scope`) ? path : undefined;
}

const fileName = 'cgroup';
