import { findHierarchies } from '../cgroups/hierarchies.ts';
import { compileDetached } from '../launch/compile-detached.ts';
import { encodeProgram } from '../launch/encode.ts';
import { callsOf } from '../launch/explain.ts';
import { checkSpec } from './read-bundle.ts';
import { defaultSpec } from './spec-template.ts';

/** Does what a call does, without its effects: V8 keeps the code that has run for later starts. */
export async function warmUp(): Promise<number> {
  await findHierarchies().catch(() => []);
  const spec = checkSpec(
    { ...defaultSpec, process: { ...defaultSpec.process, terminal: false } },
    'template',
  );
  const program = compileDetached({
    id: 'warm-up',
    spec,
    rootMounts: [{ type: 'bind', source: '/rootfs', target: '', options: ['rbind'] }],
    cgroup: { v1Procs: ['/cgroup.procs'] },
    startFifo: '/start',
    outcomeFifo: '/outcome',
    stateFiles: { creating: '/creating', created: '/created' },
    preservedDescriptors: 0,
  });
  callsOf(program);
  return encodeProgram(program).length > 0 ? 0 : 1;
}
