import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Phase } from '../../../reports/schema.ts';
import type { Ssh, SshAddress } from '../../ssh/ssh.ts';
import type { HostBroken, HostContext, RunningHost } from '../host.ts';
import { forgetOwner, recordOwner } from '../owners.ts';
import { firstAnswer } from './boot.ts';
import { readConsole } from './console.ts';
import { guestBin } from './guest-files.ts';
import { Machine } from './machine.ts';
import { bootDeadlineMs, createOverlay, type Template } from './template.ts';
import { watchMachine } from './watch.ts';

const resumeDeadlineMs = 20_000;

/** A running copy of a template: a disk overlay, the template's memory copy-on-write, and a connection. */
export async function startClone(
  template: Template,
  name: string,
  context: HostContext,
): Promise<RunningHost> {
  const { cacheDir, runDir, runId, signal, progress } = context;
  const phases = phaseClock();
  const label = `seatrial-${runId}-${name}-${randomBytes(3).toString('hex')}`;
  const folder = join(runDir, name);
  const overlay = join(folder, `${label}.qcow2`);
  const console = join(folder, `${label}-console.log`);
  await using undo = new AsyncDisposableStack();
  await mkdir(folder, { recursive: true });
  await recordOwner(cacheDir, label, [overlay]);
  undo.defer(() => forgetOwner(cacheDir, label));
  undo.defer(() => rm(overlay, { force: true }));
  await createOverlay(template.disk, 'qcow2', overlay);
  phases.end('overlay');

  const { image, shape } = template;
  const paths = { label, kernel: image.kernel, initrd: image.initrd, disk: overlay, console };
  const connected = (machine: Machine, deadlineMs: number) =>
    firstAnswer(machine, template.ssh.privateKeyPath, { signal, deadlineMs });
  const resume = async () => {
    const memory = { path: template.memory, shared: false };
    const machine = await Machine.start(shape, { ...paths, memory, incoming: true }, { signal });
    try {
      await machine.resume(template.state);
      phases.end('resume');
      const { ssh, address } = await connected(machine, resumeDeadlineMs);
      phases.end('ssh');
      await ssh.ok([`${guestBin}/resume`, (Date.now() / 1000).toFixed(3)], {
        signal,
        input: randomBytes(64),
      });
      phases.end('clock');
      return { machine, ssh, address };
    } catch (error) {
      await machine.kill();
      throw error;
    }
  };
  const boot = async () => {
    const machine = await Machine.start(shape, { ...paths, memory: undefined, incoming: false }, { signal });
    try {
      const { ssh, address } = await connected(machine, bootDeadlineMs);
      phases.end('boot');
      return { machine, ssh, address };
    } catch (error) {
      await machine.kill();
      throw error;
    }
  };
  const { machine, ssh, address } = await resume().catch(async (error: Error) => {
    signal.throwIfAborted();
    phases.end('failed resume');
    progress(`the saved state does not resume (${error.message}); booting instead`);
    await rm(overlay, { force: true });
    await createOverlay(template.disk, 'qcow2', overlay);
    return boot();
  });
  undo.use(machine);
  undo.use(ssh);
  return running({ name, template, machine, ssh, address, phases: phases.list, undo: undo.move() });
}

function running(parts: {
  readonly name: string;
  readonly template: Template;
  readonly machine: Machine;
  readonly ssh: Ssh;
  readonly address: SshAddress;
  readonly phases: readonly Phase[];
  readonly undo: AsyncDisposableStack;
}): RunningHost {
  const { name, template, machine, ssh, address, phases, undo } = parts;
  const broken = new AbortController();
  const stop = new AbortController();
  void watchMachine(machine, { ssh, address }, { stop: stop.signal }).then(
    (found: HostBroken | undefined) => {
      if (found) broken.abort(found);
    },
  );
  return {
    name,
    facts: template.facts,
    ssh,
    sshAddress: address,
    phases,
    broken: broken.signal,
    console: (maxBytes) => readConsole(machine.paths.console, maxBytes),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await undo.disposeAsync();
    },
  };
}

function phaseClock(): { readonly list: readonly Phase[]; end(name: string): void } {
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
