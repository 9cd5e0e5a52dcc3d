import { dirname, join } from 'node:path/posix';
import { words } from './common-steps.ts';
import { AT_FDCWD, flagsOf, named, OPEN, SIGCHLD } from './constants.ts';
import { quote } from './mount-steps.ts';
import { enterCgroups } from './process-steps.ts';
import type { Cell, Label } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';
import type { CgroupEntry } from './types.ts';

/**
 * Clones a process straight into its cgroup. Afterwards the parent goes on at `parent`, with the child's pid in `pid`; the child
 * goes on here, in the cgroups of both versions. clone3 with a cgroup is there since 5.7, and filters may hide it; then
 * the child enters by itself. A `sibling` becomes a child of our own parent (CLONE_PARENT), which then may wait for it.
 */
export function cloneInto(
  p: ProgramBuilder,
  cgroup: CgroupEntry,
  flags: { readonly value: number; readonly text: string },
  pid: Cell,
  parent: Label,
  { sibling = false }: { readonly sibling?: boolean } = {},
): void {
  const entered = p.label('in its cgroup');
  const what = 'make the process';
  const siblingFlag = sibling ? 0x8000 : 0;
  const siblingText = sibling ? 'CLONE_PARENT' : '';
  if (cgroup.v2Dir !== undefined) {
    const folder = p.cell('cgroup');
    p.call('openat', [AT_FDCWD, p.text(cgroup.v2Dir), flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], {
      what: `open cgroup ${quote(cgroup.v2Dir)}`,
      result: folder,
    });
    const intoCgroup = 0x200000000n;
    const text = [flags.text, siblingText, 'CLONE_INTO_CGROUP'].filter(Boolean).join('|');
    const args = words(p, `clone_args {flags: ${text}, exit_signal: SIGCHLD, cgroup: $cgroup}`, [
      BigInt(flags.value | siblingFlag) | intoCgroup,
      0,
      0,
      0,
      sibling ? 0 : SIGCHLD,
      0,
      0,
      0,
      0,
      0,
      0,
    ]);
    p.copy(folder, at(args, 80));
    p.call('clone3', [address(args), 88], {
      what,
      result: pid,
      errors: 'next',
      zero: entered,
      positive: parent,
    });
  }
  p.call(
    'clone',
    [
      named(
        (flags.value | siblingFlag | SIGCHLD) >>> 0,
        [flags.text, siblingText, 'SIGCHLD'].filter(Boolean).join('|'),
      ),
      0,
      0,
      0,
      0,
    ],
    {
      what,
      result: pid,
      positive: parent,
    },
  );
  if (cgroup.v2Dir !== undefined) enterCgroups(p, [`${cgroup.v2Dir}/cgroup.procs`]);
  p.place(entered);
  if (cgroup.readyDescriptor !== undefined) waitUntilReady(p, cgroup.readyDescriptor);
  enterCgroups(p, [...cgroup.v1Procs.map(tasksBeside), ...(cgroup.resctrl ?? [])]);
}

function waitUntilReady(p: ProgramBuilder, descriptor: number): void {
  const given = p.label('groups given up');
  const ready = p.label('groups ready');
  const byte = address(p.buffer('groups ready', 8));
  p.call('read', [descriptor, byte, 1], { what: 'wait for the groups', zero: given, positive: ready });
  p.place(given);
  p.call('exit_group', [1]);
  p.place(ready);
  p.call('close', [descriptor], { what: 'wait for nothing more' });
}

/**
 * A process of one thread enters by `tasks` as well. Since Linux 5.5 that waits for nobody; a write to `cgroup.procs` holds up all clones
 * and exits, for which the kernel first waits some milliseconds (an RCU grace period).
 */
const tasksBeside = (procs: string): string => join(dirname(procs), 'tasks');
