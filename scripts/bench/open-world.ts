import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { RunRoot } from '../run-root.ts';

/**
 * Process 1 of the bench's namespaces. Bash, because it reaps what is orphaned. /sys is mounted anew to show the new network
 * namespace, /run is empty for the engines' sockets and state. The world ends with whoever opened it, however that
 * ends: `cat` sees the end of its input.
 */
const init = `
set -e
mount --make-rprivate /
mkdir "$ROOT/cgroup"
mount --rbind /sys/fs/cgroup "$ROOT/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$ROOT/cgroup" /sys/fs/cgroup
umount -R "$ROOT/cgroup"
mount -t tmpfs -o mode=755 tmpfs /run
exec 3<&0 </dev/null
"$@" 3<&- &
inside=$!
{ cat <&3 >/dev/null; kill -KILL $inside; } 2>/dev/null &
exec 3<&-
set +e
wait $inside
exit $?`;

export interface WorldExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Runs a Node program in mount, pid, network, ipc and uts namespaces of its own and waits for its end; with it everything ends
 * that it has started or mounted. An abort ends it at once. A session of its own keeps the terminal's Ctrl-C for us.
 */
export async function runInWorld(
  root: RunRoot,
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<WorldExit> {
  const flags = ['--mount', '--pid', '--fork', '--kill-child', '--net', '--ipc', '--uts', '--mount-proc'];
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', program, ...args];
  const world = spawn('unshare', [...flags, 'bash', '-c', init, 'bench-world', ...node], {
    cwd: root.folder,
    // Docker and runc keep what they make below it, where the end removes it.
    env: { ...process.env, ROOT: root.folder, TMPDIR: root.folder, HOME: join(root.folder, 'home') },
    stdio: ['pipe', 'inherit', 'inherit'],
    detached: true,
  });
  const exit = new Promise<WorldExit>((resolve, reject) => {
    world.once('error', reject);
    world.once('exit', (code, endedBy) => resolve({ code, signal: endedBy }));
  });
  const end = () => world.stdin.destroy();
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    return await exit;
  } finally {
    signal.removeEventListener('abort', end);
  }
}
