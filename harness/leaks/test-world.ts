import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { execa } from 'execa';
import type { Ssh, SshProcess } from '../ssh/ssh.ts';

/**
 * A world for the detector's own test: mount, pid, network, ipc and uts namespaces of their own on this machine, with a /proc
 * and /sys to match. What is planted in it dies with its first process; block devices and cgroups are the machine's own
 * and are removed by their label. Other work on this machine is not seen in it.
 */
export interface TestWorld extends AsyncDisposable {
  /** A folder for the test's files. */
  readonly folder: string;
  /** The label in the names of what the machine shares: cgroups, device-mapper names. */
  readonly label: string;
  /** Path of Node 24 in it. */
  readonly node: string;
  /** Runs a shell script in the world; `$FOLDER`, `$LABEL` and `$NODE` are set. Background children must not keep its stdout. */
  sh(script: string): Promise<string>;
  readonly ssh: Pick<Ssh, 'spawn' | 'writeFile'>;
}

// Bash as process 1, because it reaps what is orphaned. /sys is mounted anew to show the new network namespace. The world
// ends with whoever opened it, however that ends: `cat` sees the end of its input.
const init = `
  mount --make-rprivate /
  mount --rbind /sys/fs/cgroup "$FOLDER/cgroup" && mount -t sysfs sysfs /sys &&
    mount --rbind "$FOLDER/cgroup" /sys/fs/cgroup && umount -R "$FOLDER/cgroup"
  ip link set lo up
  exec 3<&0
  cat <&3 >/dev/null &
  echo ready
  while kill -0 $! 2>/dev/null; do wait; done`;

export async function openTestWorld(): Promise<TestWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'leak-world-'));
  const label = folder.slice(-6);
  const env = { FOLDER: folder, LABEL: label, NODE: process.execPath };
  await execa('mkdir', [join(folder, 'cgroup'), join(folder, 'state')]);
  const flags = ['--mount', '--pid', '--fork', '--kill-child', '--net', '--ipc', '--uts', '--mount-proc'];
  const first = spawn('unshare', [...flags, 'bash', '-c', init], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => first.once('exit', resolve));
  await new Promise((resolve, reject) => {
    first.stdout.once('data', resolve);
    first.once('exit', () => reject(new Error('Cannot open a test world: unshare has ended')));
  });
  const pid = (await execa('pgrep', ['-P', String(first.pid)])).stdout.trim();
  const enter = ['--target', pid, '--mount', '--pid', '--net', '--ipc', '--uts'];
  return {
    folder,
    label,
    node: process.execPath,
    sh: async (script) => (await execa('nsenter', [...enter, 'bash', '-euc', script], { env })).stdout,
    ssh: {
      writeFile: async (path, data, { mode } = {}) => {
        await writeFile(path, data);
        if (mode !== undefined) await chmod(path, mode);
      },
      spawn: async (argv): Promise<SshProcess> => {
        const child = spawn('nsenter', [...enter, ...argv], { stdio: ['pipe', 'pipe', 'pipe'] });
        const exited = new Promise<Awaited<SshProcess['exited']>>((resolve) =>
          child.once('exit', (code, signal) =>
            resolve({ exitCode: code ?? undefined, signal: signal ?? undefined }),
          ),
        );
        return {
          stdio: Duplex.from({ readable: child.stdout, writable: child.stdin }),
          stderr: child.stderr,
          exited,
          kill: (signal) => child.kill(signal === undefined ? 'SIGTERM' : `SIG${signal}`),
          [Symbol.asyncDispose]: async () => {
            child.stdin.end();
            await exited;
          },
        };
      },
    },
    [Symbol.asyncDispose]: async () => {
      first.kill('SIGKILL');
      await ended;
      await removeShared(folder, label);
    },
  };
}

/** Removes what outlives namespaces, whichever step the test failed at. */
async function removeShared(folder: string, label: string): Promise<void> {
  const script = `
    dmsetup remove --force "planted-$LABEL" 2>/dev/null
    command -v zpool >/dev/null && zpool destroy -f "planted-$LABEL" 2>/dev/null
    losetup -nO NAME,BACK-FILE | grep -F "$FOLDER" | cut -d' ' -f1 | xargs -r -n1 losetup -d
    find /sys/fs/cgroup -depth -type d -name "planted-$LABEL" | while read -r cgroup; do
      for try in 1 2 3 4 5; do rmdir "$cgroup" && break; sleep 0.1; done
    done
    true`;
  await execa('bash', ['-c', script], { env: { FOLDER: folder, LABEL: label } });
  await rm(folder, { recursive: true, force: true });
}
