import { join } from 'node:path';
import type { Spawner } from './spawner.ts';
import type { Subject } from './task.ts';
import { findProgram, projectDir, type World } from './world.ts';

export type OciSubject = Extract<Subject, 'hull-oci' | 'crun' | 'runc'>;

/** An OCI runtime's command line, with state of its own. */
export interface OciRuntime {
  readonly spawner: Spawner;
  /** The argv of a call. */
  readonly call: (...args: readonly string[]) => readonly string[];
}

export async function openOciRuntime(world: World, subject: OciSubject): Promise<OciRuntime> {
  const hull = join(projectDir, 'runtime/bin/hull-oci');
  const program = await findProgram(subject === 'hull-oci' ? hull : subject);
  const state = await world.makeFolder(`${subject}-state`);
  return {
    spawner: subject === 'hull-oci' ? await world.plain() : await world.references(),
    call: (...args) => [program, '--root', state, ...args],
  };
}
