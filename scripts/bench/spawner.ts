import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SpawnAnswer, SpawnRequest } from './spawn-worker.ts';

const worker = fileURLToPath(new URL('spawn-worker.ts', import.meta.url));

/** crun refuses a host with cgroup v1 and v2 side by side, so its processes do not see the v2 mount. */
const hideUnified = `
for mount in /sys/fs/cgroup/unified; do ! mountpoint -q "$mount" || umount "$mount"; done
exec "$@"`;

/** Starts programs through a worker and answers how long they ran. */
export class Spawner implements Disposable {
  readonly #worker: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: SpawnAnswer) => void; reject: (error: Error) => void }
  >();
  #last = 0;

  constructor(kind: 'plain' | 'without cgroup v2 beside v1') {
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', worker];
    const command =
      kind === 'plain' ? node : ['unshare', '--mount', 'bash', '-ec', hideUnified, 'hide', ...node];
    this.#worker = spawn(command[0] ?? '', command.slice(1), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#worker.on('message', (answer: SpawnAnswer) => {
      this.#waiting.get(answer.id)?.resolve(answer);
      this.#waiting.delete(answer.id);
    });
    const end = (error: Error) => {
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    this.#worker.once('error', end);
    this.#worker.once('exit', (code, signal) =>
      end(new Error(`Cannot start a program: the worker has ended (${code ?? signal})`)),
    );
  }

  /** Milliseconds until all commands, started together, have ended. Throws with what the first failing one said. */
  async run(...commands: readonly (readonly string[])[]): Promise<number> {
    this.#last += 1;
    const id = this.#last;
    const { ms, trouble } = await new Promise<SpawnAnswer>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.send({ id, commands } satisfies SpawnRequest, (error) => {
        if (error) reject(error);
      });
    });
    if (trouble !== undefined) throw new Error(`${commands[0]?.join(' ')}: ${trouble}`);
    return ms;
  }

  [Symbol.dispose](): void {
    this.#worker.kill('SIGKILL');
  }
}
