import { join } from 'node:path';
import { execa } from 'execa';
import type { Spawner } from './spawner.ts';
import type { Subject } from './task.ts';
import { findProgram, projectDir, type World } from './world.ts';

export type OciSubject = Extract<Subject, 'hull-oci' | 'hull-oci (warm)' | 'crun' | 'runc'>;

/** An OCI runtime's command line, with state of its own. */
export interface OciRuntime {
  readonly spawner: Spawner;
  /** The argv of a call. */
  readonly call: (...args: readonly string[]) => readonly string[];
}

export async function openOciRuntime(world: World, subject: OciSubject): Promise<OciRuntime> {
  const program = await programOf(world, subject);
  // Where each of them keeps it by default: on the world's own tmpfs.
  const state = `/run/${world.unique('oci-state')}`;
  return {
    spawner: subject.startsWith('hull-oci') ? await world.plain() : await world.references(),
    call: (...args) => [program, '--root', state, ...args],
  };
}

async function programOf(world: World, subject: OciSubject): Promise<string> {
  const hull = join(projectDir, 'runtime/bin/hull-oci');
  if (subject === 'hull-oci') return hull;
  if (subject === 'hull-oci (warm)') return await world.once('resident', () => startResident(world, hull));
  return await findProgram(subject);
}

/** The client of a resident of the bench's own; it ends with the world. */
async function startResident(world: World, hull: string): Promise<string> {
  const folder = await world.makeFolder('resident');
  const [socket, client] = [join(folder, 'socket'), join(folder, 'hull-oci')];
  const args = ['resident', '--socket', socket, '--client', client, '--idle', '0', '--detach'];
  await execa(hull, args, { stdin: 'ignore' });
  return client;
}
