import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { quote } from '../../ssh/quote.ts';
import { type MachinePaths, type MachineShape, qemuArguments, qmpFd } from './command-line.ts';
import { Qmp, type QmpEvent } from './qmp.ts';

export interface MachineExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/**
 * One QEMU process. It dies with this process (the kernel kills it), is not reached by a terminal's Ctrl-C, and
 * carries its label on the command line.
 */
export class Machine implements AsyncDisposable {
  readonly qmp: Qmp;
  readonly pid: number;
  readonly paths: MachinePaths;
  readonly exited: Promise<MachineExit>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, qmp: Qmp, paths: MachinePaths, exited: Promise<MachineExit>) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.qmp = qmp;
    this.paths = paths;
    this.exited = exited;
  }

  static async start(
    shape: MachineShape,
    paths: MachinePaths,
    { signal, onEvent }: { readonly signal: AbortSignal; readonly onEvent?: (event: QmpEvent) => void },
  ): Promise<Machine> {
    signal.throwIfAborted();
    const args = ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...qemuArguments(shape, paths)];
    const child = spawn('setpriv', args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], detached: true });
    const stderr = child.stderr ? buffer(child.stderr).catch(() => Buffer.alloc(0)) : Buffer.alloc(0);
    const exited = once(child, 'exit').then(
      async ([code, signalName]): Promise<MachineExit> => ({
        code,
        signal: signalName,
        stderr: String(await stderr).trim(),
      }),
    );
    try {
      const control = child.stdio[qmpFd];
      if (!(control instanceof Duplex)) throw new Error('Cannot start QEMU: no control socket');
      const qmp = await Qmp.open(control);
      const machine = new Machine(child, qmp, paths, exited);
      if (onEvent) qmp.onEvent(onEvent);
      return machine;
    } catch (cause) {
      child.kill('SIGKILL');
      const { stderr: words, code, signal: by } = await exited;
      throw new Error(`Cannot start QEMU: ${words || `it ended with ${by ?? `status ${code}`}`}`, { cause });
    }
  }

  /** Where the guest's port 22 is on 127.0.0.1: QEMU asked the kernel for a free port and says which it got. */
  async sshPort(): Promise<number> {
    const table = await this.qmp.monitor('info usernet');
    const port = /TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b/.exec(table)?.[1];
    if (port === undefined) throw new Error(`Cannot find the guest's SSH port in:\n${table}`);
    return Number(port);
  }

  /** Writes the state of everything but the memory, which is in its file already. The machine stays stopped. */
  async save(path: string): Promise<void> {
    await this.#withoutMemory();
    await this.qmp.execute('stop');
    await this.qmp.execute('migrate', { uri: `exec:cat > ${quote([path])}` });
    await this.#migrated();
  }

  /** Continues a state saved by `save`; only for a machine started with `incoming`. */
  async resume(path: string): Promise<void> {
    await this.#withoutMemory();
    await this.qmp.execute('migrate-incoming', { uri: `exec:cat ${quote([path])}` });
    await this.#migrated();
    await this.qmp.execute('cont');
  }

  /** Plugs a qcow2 into the running machine; `name` is its serial number. */
  async plugDisk(name: string, path: string): Promise<void> {
    const file = { driver: 'file', filename: path };
    const node = { driver: 'qcow2', 'node-name': name, file, discard: 'unmap' };
    await this.qmp.execute('blockdev-add', { ...node, cache: { 'no-flush': true } });
    await this.qmp.execute('device_add', { driver: 'virtio-blk-pci', drive: name, serial: name, id: name });
  }

  /** Afterwards the process is gone, without a word to the guest: a power cut. */
  async kill(): Promise<MachineExit> {
    this.#child.kill('SIGKILL');
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #withoutMemory(): Promise<void> {
    await this.qmp.execute('migrate-set-capabilities', {
      capabilities: [{ capability: 'x-ignore-shared', state: true }],
    });
  }

  async #migrated(): Promise<void> {
    for (;;) {
      const answer = await this.qmp.execute('query-migrate');
      const { status, 'error-desc': why } = answer as { status?: string; 'error-desc'?: string };
      if (status === 'completed') return;
      if (status === 'failed')
        throw new Error(`Cannot move the machine's state: ${why ?? 'QEMU does not say why'}`);
      await sleep(10);
    }
  }
}
