import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Phase } from '../../../reports/schema.ts';
import type { Ssh, SshAddress } from '../../ssh/ssh.ts';
import type { HostContext, SpareDisk } from '../host.ts';
import { forgetOwner, recordOwner } from '../owners.ts';
import { firstAnswer } from './boot.ts';
import { guestBin } from './guest-files.ts';
import { Machine } from './machine.ts';
import { createEmptyDisk, createOverlay } from './overlay.ts';
import type { Template } from './template.ts';
import type { QemuTimes } from './times.ts';

/** A machine that has answered, and what it took to get there. */
export interface Session {
  readonly machine: Machine;
  readonly ssh: Ssh;
  readonly address: SshAddress;
  readonly phases: readonly Phase[];
}

/** A copy of a template's disk and the ways to run it. Disposing removes the disk; a machine is ended by its session's owner. */
export class Guest implements AsyncDisposable {
  readonly name: string;
  readonly template: Template;
  readonly times: QemuTimes;
  readonly #context: HostContext;
  readonly #label: string;
  readonly #folder: string;
  readonly #console: string;
  /** The last is the machine's; each holds what differs from the one before it, the first from the template's. */
  readonly #disks: string[] = [];
  #spares = 0;

  private constructor(template: Template, name: string, context: HostContext, times: QemuTimes) {
    this.name = name;
    this.template = template;
    this.times = times;
    this.#context = context;
    this.#label = `seatrial-${context.runId}-${name}-${randomBytes(3).toString('hex')}`;
    this.#folder = join(context.runDir, name, this.#label);
    this.#console = join(context.runDir, name, `${this.#label}-console.log`);
  }

  static async create(
    template: Template,
    name: string,
    context: HostContext,
    times: QemuTimes,
  ): Promise<Guest> {
    const guest = new Guest(template, name, context, times);
    await mkdir(guest.#folder, { recursive: true });
    await recordOwner(context.cacheDir, guest.#label, [guest.#folder]);
    return guest;
  }

  /** From the template's state, in seconds; from a cold boot of its disk where the state does not resume. */
  async start(): Promise<Session> {
    const phases = phaseClock();
    await this.#addDisk();
    phases.end('overlay');
    try {
      return await this.#resume(phases);
    } catch (error) {
      this.#context.signal.throwIfAborted();
      phases.end('failed resume');
      const why = error instanceof Error ? error.message : String(error);
      this.#context.progress(`the saved state does not resume (${why}); booting instead`);
    }
    await this.#removeDisks();
    await this.#addDisk();
    return this.#boot(phases);
  }

  /**
   * Cold, from the disk as the last machine left it. What this one writes goes into a file of its own, so that a write it never
   * flushed is lost when it is killed; over blocks that the file has already, the host's page cache would keep it.
   */
  async bootAgain(): Promise<Session> {
    await this.#addDisk();
    return this.#boot(phaseClock());
  }

  async #boot(phases: PhaseClock): Promise<Session> {
    const { signal } = this.#context;
    const machine = await this.#machine(false);
    try {
      const { privateKeyPath } = this.template.ssh;
      const answer = await firstAnswer(machine, privateKeyPath, { signal, deadlineMs: this.times.bootMs });
      phases.end('boot');
      return { machine, ...answer, phases: phases.list };
    } catch (error) {
      await machine.kill();
      throw error;
    }
  }

  /** One more disk for the session's machine; answers its device in the guest. */
  async plugDisk({ machine, ssh }: Session, disk: SpareDisk): Promise<string> {
    const name = `spare${++this.#spares}`;
    const path = join(this.#folder, `${name}.qcow2`);
    if ('copyOf' in disk) await createOverlay(disk.copyOf, 'raw', path);
    else await createEmptyDisk(path, disk.sizeBytes);
    await machine.plugDisk(name, path);
    // The kernel finds it by itself; the link with the serial number is udev's.
    const find = 'for i in $(seq 200); do [ -e "$1" ] && exec readlink -f "$1"; sleep 0.1; done; exit 1';
    const link = `/dev/disk/by-id/virtio-${name}`;
    return (await ssh.ok(['sh', '-c', find, 'find', link], { signal: this.#context.signal })).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    await forgetOwner(this.#context.cacheDir, this.#label);
  }

  async #addDisk(): Promise<void> {
    const disk = join(this.#folder, `disk-${this.#disks.length}.qcow2`);
    await createOverlay(this.#disks.at(-1) ?? this.template.disk, 'qcow2', disk);
    this.#disks.push(disk);
  }

  async #removeDisks(): Promise<void> {
    for (const disk of this.#disks.splice(0)) await rm(disk, { force: true });
  }

  async #resume(phases: PhaseClock): Promise<Session> {
    const { signal } = this.#context;
    const machine = await this.#machine(true);
    try {
      await machine.resume(this.template.state);
      phases.end('resume');
      const { privateKeyPath } = this.template.ssh;
      const answer = await firstAnswer(machine, privateKeyPath, { signal, deadlineMs: this.times.resumeMs });
      phases.end('ssh');
      const now = (Date.now() / 1000).toFixed(3);
      await answer.ssh.ok([`${guestBin}/resume`, now], { signal, input: randomBytes(64) });
      phases.end('clock');
      return { machine, ...answer, phases: phases.list };
    } catch (error) {
      await machine.kill();
      throw error;
    }
  }

  #machine(incoming: boolean): Promise<Machine> {
    const { image, shape, memory } = this.template;
    const disk = this.#disks.at(-1);
    if (disk === undefined) throw new Error(`Cannot start ${this.name}: it has no disk`);
    return Machine.start(
      shape,
      {
        label: this.#label,
        kernel: image.kernel,
        initrd: image.initrd,
        disk,
        memory: incoming ? { path: memory, shared: false } : undefined,
        console: this.#console,
        incoming,
      },
      { signal: this.#context.signal },
    );
  }
}

interface PhaseClock {
  readonly list: readonly Phase[];
  end(name: string): void;
}

function phaseClock(): PhaseClock {
  const list: Phase[] = [];
  let since = performance.now();
  return {
    list,
    end: (name) => {
      const now = performance.now();
      list.push({ name, durationMs: now - since });
      since = now;
    },
  };
}
