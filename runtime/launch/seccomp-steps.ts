import type { SeccompFilter } from '../kernel/seccomp-filter.ts';
import { named } from './constants.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

/**
 * Loads a filter: the very last step before execve, so that the filter need allow nothing of ours but that. Without no_new_privs it takes
 * CAP_SYS_ADMIN, see `becomeUser`.
 */
export function loadSeccomp(p: ProgramBuilder, { flags, flagsText, instructions }: SeccompFilter): void {
  const code = p.bytes('seccomp filter', instructions, `{${instructions.length / 8} instructions}`);
  const program = Buffer.alloc(16);
  program.writeUInt16LE(instructions.length / 8);
  const filter = p.linked('sock_fprog', program, [{ offset: 8, to: address(code) }]);
  p.call('seccomp', [named(1, 'SECCOMP_SET_MODE_FILTER'), named(flags, flagsText), address(filter)], {
    what: 'load the seccomp filter',
  });
}
