import { HullError } from '../base/errors.ts';
import type { SeccompFilter } from '../kernel/seccomp-filter.ts';
import { report } from './common-steps.ts';
import { named } from './constants.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

/**
 * Loads a filter: the very last step before execve, so that the filter need allow nothing of ours but that. Without no_new_privs it takes
 * CAP_SYS_ADMIN, see `becomeUser`.
 */
export function loadSeccomp(p: ProgramBuilder, filter: SeccompFilter): void {
  if (filter.listens)
    throw new HullError(
      'Cannot load a seccomp filter with SCMP_ACT_NOTIFY: only hull oci hands on a listener',
      {
        kind: 'unsupported',
      },
    );
  load(p, filter);
}

/**
 * Loads a filter with a listener, whose descriptor somebody outside takes (pidfd_getfd(2)): what we did with it ourselves could be what
 * it waits for. Its number, the lowest that is free, is told before; then we wait for a byte on `told`.
 */
export function loadListeningSeccomp(p: ProgramBuilder, filter: SeccompFilter, told: number): void {
  const number = p.cell('listener');
  p.call('fcntl', [p.recordDescriptor, named(1030, 'F_DUPFD_CLOEXEC'), 0], {
    what: 'find the lowest free descriptor',
    result: number,
  });
  p.call('close', [number]);
  report(p, 'listener', number);
  load(p, filter);
  const stop = p.label('no listener');
  const over = p.label('listener taken');
  p.call('read', [told, address(p.buffer('word', 8)), 1], {
    what: 'wait for the seccomp agent',
    zero: stop,
    positive: over,
  });
  p.place(stop);
  p.call('exit_group', [1]);
  p.place(over);
}

function load(p: ProgramBuilder, { flags, flagsText, instructions }: SeccompFilter): void {
  const code = p.bytes('seccomp filter', instructions, `{${instructions.length / 8} instructions}`);
  const program = Buffer.alloc(16);
  program.writeUInt16LE(instructions.length / 8);
  const filter = p.linked('sock_fprog', program, [{ offset: 8, to: address(code) }]);
  p.call('seccomp', [named(1, 'SECCOMP_SET_MODE_FILTER'), named(flags, flagsText), address(filter)], {
    what: 'load the seccomp filter',
  });
}
