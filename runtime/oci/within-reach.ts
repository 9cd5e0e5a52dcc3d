import { readFileSync, statSync } from 'node:fs';
import type { Process, Spec } from '../base/oci.ts';
import { isPrivileged } from './privileges.ts';

/** What a caller without privileges has no right to and can do without: passed over, and `passOver` is told. */
export function withinReach(spec: Spec, passOver: (text: string) => void): Spec {
  if (isPrivileged()) return spec;
  const namespaces = spec.linux.namespaces.filter((entry) => !isOwnUserNamespace(entry));
  return {
    ...spec,
    process: withOwnOomScore(spec.process, passOver),
    linux: { ...spec.linux, namespaces },
  };
}

/** Only CAP_SYS_RESOURCE of the machine may lower it (proc_pid_oom_score_adj(5)). */
export function withOwnOomScore(wanted: Process, passOver: (text: string) => void): Process {
  const { oomScoreAdj, ...process } = wanted;
  if (oomScoreAdj === undefined || isPrivileged()) return wanted;
  const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  if (oomScoreAdj >= own) return wanted;
  passOver(`process.oomScoreAdj: found ${oomScoreAdj}, and without privileges it stays at ${own}`);
  return process;
}

/** It cannot be joined once more. */
function isOwnUserNamespace({ type, path }: Spec['linux']['namespaces'][number]): boolean {
  if (type !== 'user' || path === undefined) return false;
  return statSync(path, { throwIfNoEntry: false })?.ino === statSync('/proc/self/ns/user').ino;
}
