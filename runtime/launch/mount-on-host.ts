import { begin, report, reportFailures } from './common-steps.ts';
import { named } from './constants.ts';
import { mountAt } from './mount-steps.ts';
import type { Program } from './program.ts';
import { ProgramBuilder } from './program-builder.ts';
import { prepareProgram } from './program-cache.ts';
import { recordDescriptor } from './records.ts';
import { reap, startProgram } from './spawn.ts';

export interface HostMount {
  /** A file system; anything where the options say `bind`. */
  readonly type: string;
  readonly source: string;
  /** fstab words. */
  readonly options: readonly string[];
}

/**
 * Mounts in the host's own namespace, where several containers shall see one file system. A program of its own does it: a server that does not
 * answer holds that up, and not the daemon. LaunchError names the step.
 */
export async function mountOnHost(mount: HostMount, target: string): Promise<void> {
  await run('hull-mount', (p) =>
    mountAt(p, {
      type: mount.type,
      source: p.text(mount.source),
      sourceText: mount.source,
      words: mount.options,
      target,
    }),
  );
}

/** Afterwards nothing is mounted at the path; who still has files open there keeps them until they are closed. */
export async function unmountOnHost(target: string): Promise<void> {
  await run('hull-unmount', (p) =>
    p.call('umount2', [p.text(target), named(2 | 8, 'MNT_DETACH|UMOUNT_NOFOLLOW')], {
      what: `unmount ${JSON.stringify(target)}`,
      errors: { EINVAL: 'next' },
    }),
  );
}

async function run(name: string, steps: (p: ProgramBuilder) => void): Promise<void> {
  const { pid } = await startProgram(prepareProgram(compile(name, steps)), { name, wanted: 'ready' });
  await reap(pid);
}

function compile(name: string, steps: (p: ProgramBuilder) => void): Program {
  const p = new ProgramBuilder();
  reportFailures(p, name);
  begin(p, name, recordDescriptor + 1);
  steps(p);
  report(p, 'ready');
  p.call('exit_group', [0]);
  return p.build();
}
