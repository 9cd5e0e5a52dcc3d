import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../base/log.ts';
import type { Cgroup } from '../cgroups/cgroup.ts';
import { notedCgroup, plainParent } from './cgroup-note.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';

/** Cgroups and run folders without a container that may be alive. */
export async function removeStrays(engine: Engine, alive: readonly Container[]): Promise<void> {
  const ids = new Set(alive.map(({ id }) => id));
  const dead = (await readdir(engine.runRoot)).filter((name) => !ids.has(name));
  // A container's parent may itself be below the daemon's.
  const used = alive.flatMap(({ run }) => (run ? [`${run.cgroup.path}/`] : []));
  for (const cgroup of await leftCgroups(engine, dead)) {
    const { path } = cgroup;
    if (used.some((own) => own.startsWith(`${path}/`))) continue;
    engine.log.info('stray cgroup removed', { path });
    try {
      await cgroup.kill(AbortSignal.timeout(engine.timing.killTimeoutMs));
      await cgroup.remove();
    } catch (error) {
      engine.log.error('stray cgroup stays', { path, error: errorText(error) });
    }
  }
  for (const name of dead) await rm(join(engine.runRoot, name), { recursive: true, force: true });
}

/** Those where this daemon makes them, those where every daemon does, and what dead runs have noted. */
async function leftCgroups(engine: Engine, dead: readonly string[]): Promise<readonly Cgroup[]> {
  const { cgroups, cgroupParent } = engine;
  const plain = await engine.cgroupsOf('cgroupfs');
  const listed = (await cgroups.list(cgroupParent)).map((path) => cgroups.open(path));
  const isPlain = cgroups === plain && cgroupParent === plainParent(engine);
  const others = isPlain ? [] : (await plain.list(plainParent(engine))).map((path) => plain.open(path));
  const noted = await Promise.all(
    dead.map(async (id) => {
      try {
        return (await notedCgroup(engine, id))?.cgroup;
      } catch (error) {
        engine.log.error('cgroup of a dead run not found', { id, error: errorText(error) });
        return undefined;
      }
    }),
  );
  return [...listed, ...others, ...noted.filter((cgroup) => cgroup !== undefined)];
}

/** A power cut may have left more of its creation than the record. */
export async function removeUnborn(engine: Engine, id: string): Promise<void> {
  try {
    await engine.driver.remove(id);
    await engine.records.remove(id);
    engine.log.info('container folder without a record removed', { id });
  } catch (error) {
    engine.log.error('container folder without a record stays', { id, error });
  }
}

/** Layers of transient containers that a power cut has left alone. */
export async function removeOrphans(engine: Engine, stored: ReadonlySet<string>): Promise<void> {
  for (const id of await engine.driver.list({ transient: true })) {
    if (stored.has(id)) continue;
    try {
      await engine.driver.remove(id);
      engine.log.info('layer without a container removed', { id });
    } catch (error) {
      engine.log.error('layer without a container stays', { id, error: errorText(error) });
    }
  }
}
