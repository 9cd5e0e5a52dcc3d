import type { Process } from '../base/oci.ts';
import { readInRoot } from '../containers/read-in-root.ts';

/** HOME as the root's /etc/passwd has it for the user, where the process has none. */
export async function withHome(process: Process, root: string): Promise<Process> {
  const env = process.env ?? [];
  // As crun has it, an empty one is none.
  if (env.some((entry) => entry.startsWith('HOME=') && entry !== 'HOME=')) return process;
  const passwd = await readInRoot(root, '/etc/passwd').catch(() => '');
  const account = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([, , uid]) => uid === String(process.user.uid));
  return { ...process, env: [...env.filter((entry) => entry !== 'HOME='), `HOME=${account?.[5] || '/'}`] };
}
