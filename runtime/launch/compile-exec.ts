import { cloneInto } from './clone-steps.ts';
import { begin, dieWithParent, report, reportFailures } from './common-steps.ts';
import { named, SIGKILL } from './constants.ts';
import { becomeCommand, joinPidNamespace } from './exec-steps.ts';
import { controlDescriptor, copyTerminal, openExecTerminal } from './exec-terminal-steps.ts';
import { ownStandardStreams } from './process-steps.ts';
import type { Program } from './program.ts';
import { address, ProgramBuilder } from './program-builder.ts';
import { recordDescriptor } from './records.ts';
import { handOverTerminal } from './terminal-handover.ts';
import type { ExecRequest } from './types.ts';

/** The pipe that takes the command's wait status (8 bytes). */
export const statusDescriptor = 4;
/** The target's folder in /proc: it stands for the process, not for its number. */
export const targetDescriptor = 5;

/**
 * The program of an exec: a parent that stays outside, so that it pins nothing of the container, and waits; and a child that
 * enters cgroup, namespaces and root and becomes the command. Pure.
 */
export function compileExec(request: ExecRequest): Program {
  const { process } = request;
  const p = new ProgramBuilder();
  reportFailures(p, 'exec');
  const own = [statusDescriptor, targetDescriptor, ...(process.terminal ? [controlDescriptor] : [])];
  begin(p, 'hull-exec', statusDescriptor + own.length);
  for (const fd of own)
    p.call('fcntl', [fd, named(2, 'F_SETFD'), named(1, 'FD_CLOEXEC')], {
      what: `mark descriptor ${fd} close-on-exec`,
    });
  dieWithParent(p);
  joinPidNamespace(p, request, targetDescriptor);

  const pid = p.cell('pid');
  const parent = p.label('exec parent');
  const terminal = process.terminal ? openExecTerminal(p) : undefined;
  cloneInto(p, request.cgroup, { value: 0, text: '' }, pid, parent);
  reportFailures(p, 'command');
  becomeCommand(p, request, {
    target: targetDescriptor,
    diesWithParent: true,
    defaultOomScoreAdj: 0,
    takeStreams() {
      if (!terminal) ownStandardStreams(p, process.user, request.openStdin ? [0, 1, 2] : [1, 2]);
    },
    inRoot() {
      if (terminal) handOverTerminal(p, process, terminal.handover);
    },
  });

  p.place(parent);
  reportFailures(p, 'exec parent', () => {
    p.call('kill', [pid, named(SIGKILL, 'SIGKILL')], { what: 'kill the command', errors: 'next' });
    p.call('wait4', [pid, 0, 0, 0], { what: 'wait for the command', errors: 'next' });
  });
  report(p, 'pid', pid);
  const status = p.cell('status');
  if (terminal) copyTerminal(p, terminal, { pid, status, openStdin: request.openStdin });
  else {
    for (const fd of [0, 1, 2, recordDescriptor]) p.call('close', [fd], { errors: 'next' });
    p.call('wait4', [pid, address(status.area), 0, 0], { what: 'wait for the command', errors: 'next' });
  }
  p.call('write', [statusDescriptor, address(status.area), 8], { what: 'report the status', errors: 'next' });
  p.call('exit_group', [0]);
  return p.build();
}
