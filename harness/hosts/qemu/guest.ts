import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Phase } from '../../../reports/schema.ts';
import type { Ssh, SshAddress } from '../../ssh/ssh.ts';
import type { HostContext } from '../host.ts';
import { forgetOwner, recordOwner } from '../owners.ts';
import { firstAnswer } from './boot.ts';
import { guestBin } from './guest-files.ts';
import { Machine } from './machine.ts';
import { createOverlay } from './overlay.ts';
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
  readonly #disk: string;
  readonly #console: string;

  private constructor(template: Template, name: string, context: HostContext, times: QemuTimes) {
    this.name = name;
    this.template = template;
    this.times = times;
    this.#context = context;
    this.#label = `seatrial-${context.runId}-${name}-${randomBytes(3).toString('hex')}`;
    this.#disk = join(context.runDir, name, `${this.#label}.qcow2`);
    this.#console = join(context.runDir, name, `${this.#label}-console.log`);
  }

  static async create(
    template: Template,
    name: string,
    context: HostContext,
    times: QemuTimes,
  ): Promise<Guest> {
    const guest = new Guest(template, name, context, times);
    await mkdir(join(context.runDir, name), { recursive: true });
    await recordOwner(context.cacheDir, guest.#label, [guest.#disk]);
    return guest;
  }

  /** From the template's state, in seconds; from a cold boot of its disk where the state does not resume. */
  async start(): Promise<Session> {
    const phases = phaseClock();
    await createOverlay(this.template.disk, 'qcow2', this.#disk);
    phases.end('overlay');
    try {
      return await this.#resume(phases);
    } catch (error) {
      this.#context.signal.throwIfAborted();
      phases.end('failed resume');
      const why = error instanceof Error ? error.message : String(error);
      this.#context.progress(`the saved state does not resume (${why}); booting instead`);
    }
    await rm(this.#disk, { force: true });
    await createOverlay(this.template.disk, 'qcow2', this.#disk);
    return this.boot(phases);
  }

  /** Cold, from the disk as it is. */
  async boot(phases = phaseClock()): Promise<Session> {
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

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#disk, { force: true });
    await forgetOwner(this.#context.cacheDir, this.#label);
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
    return Machine.start(
      shape,
      {
        label: this.#label,
        kernel: image.kernel,
        initrd: image.initrd,
        disk: this.#disk,
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
