import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { readFacts } from '../../provision/facts.ts';
import { prepareGuest } from '../../provision/prepare-guest.ts';
import { writeCached } from '../cache.ts';
import type { HostContext, HostDefinition } from '../host.ts';
import { forgetOwner, recordOwner } from '../owners.ts';
import { firstAnswer } from './boot.ts';
import { Machine } from './machine.ts';
import { createOverlay } from './overlay.ts';
import { ownKernelFile } from './own-kernel.ts';
import type { TemplatePlan } from './template.ts';
import type { QemuTimes } from './times.ts';

/** Boots the image, prepares it over SSH and leaves memory, disk, device state and facts in `folder`. */
export async function saveTemplate(
  folder: string,
  plan: TemplatePlan,
  accelerator: string,
  definition: HostDefinition,
  context: HostContext,
  times: QemuTimes,
): Promise<void> {
  const { cacheDir, runDir, runId, signal, progress } = context;
  const started = performance.now();
  const label = `seatrial-${runId}-${definition.name}-template`;
  const bootMemory = await fastFolder(folder, definition.memoryMiB);
  const memory = join(bootMemory, `${label}.memory`);
  const disk = join(folder, 'disk.qcow2');
  await mkdir(runDir, { recursive: true });
  await recordOwner(cacheDir, label, [memory, folder]);
  try {
    await createOverlay(plan.image.disk, 'raw', disk);
    const kernel = plan.ownKernel ? join(folder, ownKernelFile) : plan.image.kernel;
    if (plan.ownKernel) await writeFile(kernel, plan.ownKernel.bytes);
    await using machine = await Machine.start(
      plan.shape,
      {
        label,
        kernel,
        initrd: plan.image.initrd,
        disk,
        memory: { path: memory, shared: true },
        console: join(runDir, `${definition.name}-template-console.log`),
        incoming: false,
      },
      { signal },
    );
    const { ssh } = await firstAnswer(machine, plan.ssh.privateKeyPath, { signal, deadlineMs: times.bootMs });
    progress(`booted in ${seconds(started)}, preparing it`);
    await prepareGuest(ssh, definition, { signal, progress });
    const facts = await readFacts(ssh, accelerator, signal);
    await ssh.ok(['sync'], { signal });
    await ssh[Symbol.asyncDispose]();
    await machine.save(join(folder, 'state'));
    await machine.kill();
    // From tmpfs to the disk, holes kept: clones only read it, and it is there after a reboot.
    await execa('cp', ['--sparse=always', memory, join(folder, 'memory')], { cancelSignal: signal });
    await writeCached(join(folder, 'manifest.json'), { key: plan.key, name: definition.name, facts });
  } finally {
    await rm(memory, { force: true });
    await forgetOwner(cacheDir, label);
  }
  progress(`saved as a template after ${seconds(started)}`);
}

/** Guests that write to memory in a file on a disk file system run at a fraction of the speed: tmpfs where it has room. */
async function fastFolder(otherwise: string, memoryMiB: number): Promise<string> {
  const shm = await statfs('/dev/shm').catch(() => undefined);
  const room = shm ? (shm.bavail * shm.bsize) / 2 ** 20 : 0;
  return room > memoryMiB * 1.25 ? '/dev/shm' : otherwise;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
