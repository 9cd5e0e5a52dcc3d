import { readFileSync } from 'node:fs';

/**
 * Whether we are in another user namespace than the machine's first. Root is then nobody outside of it: so podman calls us without
 * privileges.
 */
export function inUserNamespace(): boolean {
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return inside !== '0' || outside !== '0' || count !== '4294967295';
}

/** Root of the machine. */
export const isPrivileged = (): boolean => process.geteuid?.() === 0 && !inUserNamespace();

/** Where this caller keeps what ends with the machine's run. As runc has it: in a user namespace it is a user's own, unless that is called root. */
export function runtimeFolder(): string {
  const own = process.env.XDG_RUNTIME_DIR;
  if (!own || isPrivileged()) return '/run';
  return process.geteuid?.() === 0 && process.env.USER === 'root' ? '/run' : own;
}
