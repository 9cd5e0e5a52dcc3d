import { mkdir, rm, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { readFacts } from '../../provision/facts.ts';
import { prepareGuest } from '../../provision/prepare-guest.ts';
import { buildFolder, cacheKey, readCached, writeCached } from '../cache.ts';
import type { HostContext, HostDefinition, HostFacts } from '../host.ts';
import { takeLock } from '../lock.ts';
import { forgetOwner, recordOwner } from '../owners.ts';
import { type Accelerator, chooseAccelerator, cpuModel, describeAccelerator } from './accelerator.ts';
import { firstAnswer } from './boot.ts';
import { type ClientKey, clientKey } from './client-key.ts';
import { type MachineShape, qemuArguments } from './command-line.ts';
import { ensureImage, type GuestImage } from './image.ts';
import { Machine } from './machine.ts';

/** A booted and provisioned guest, saved: memory, disk and device state. Never written; runs are clones of it. */
export interface Template {
  readonly key: string;
  readonly folder: string;
  readonly image: GuestImage;
  readonly shape: MachineShape;
  readonly ssh: ClientKey;
  readonly memory: string;
  readonly disk: string;
  readonly state: string;
  readonly facts: HostFacts;
}

/** Counted up when what provisioning leaves in a template changes. */
const recipe = 1;
/** A cold boot takes 7 to 26 s under emulation; a machine busy with other work several times that. */
export const bootDeadlineMs = 240_000;
const consoleOf = (runDir: string, name: string) => join(runDir, `${name}-template-console.log`);

/** The host's template from the cache: built from its image when it is not there. */
export async function ensureTemplate(definition: HostDefinition, context: HostContext): Promise<Template> {
  const { cacheDir, signal, progress } = context;
  const [image, qemu, ssh] = await Promise.all([
    ensureImage(definition, context),
    qemuVersion(),
    clientKey(cacheDir, signal),
  ]);
  const accelerator = await chooseAccelerator(image, qemu, context);
  const { cpus, memoryMiB, kernelArgs } = definition;
  const shape = { accelerator: accelerator.name, cpus, memoryMiB, kernelArgs };
  const key = await templateKey(shape, qemu, image);
  const folder = join(cacheDir, 'templates', `${definition.name}-${key}`);
  const at = { key, folder, image, shape, ssh };
  const template = await openTemplate(at);
  if (template) return template;
  await using _lock = await takeLock(join(cacheDir, 'locks', `template-${definition.name}.lock`), {
    signal,
    onWait: () => progress('waiting for another run that boots this host'),
  });
  const others = await openTemplate(at);
  if (others) return others;
  progress(`booting with ${describeAccelerator(accelerator)}`);
  await buildFolder(folder, (temporary) =>
    bootAndSave(temporary, { ...at, accelerator }, definition, context),
  );
  const built = await openTemplate(at);
  if (!built) throw new Error(`Cannot save the template of ${definition.name}: nothing in ${folder}`);
  return built;
}

/** A state is only good for the same QEMU with the same arguments (files apart), kernel and disk. */
async function templateKey(shape: MachineShape, qemu: string, image: GuestImage): Promise<string> {
  const args = qemuArguments(shape, {
    label: 'label',
    kernel: 'kernel',
    initrd: 'initrd',
    disk: 'disk',
    memory: { path: 'memory', shared: false },
    console: 'console',
    incoming: true,
  });
  return cacheKey([recipe, qemu, args, image.key, shape.accelerator === 'kvm' ? await cpuModel() : '']);
}

async function openTemplate(
  at: Omit<Template, 'memory' | 'disk' | 'state' | 'facts'>,
): Promise<Template | undefined> {
  const manifest = await readCached<{ facts: HostFacts }>(join(at.folder, 'manifest.json'));
  if (!manifest) return undefined;
  const now = new Date();
  await utimes(at.folder, now, now);
  const path = (name: string) => join(at.folder, name);
  return {
    ...at,
    memory: path('memory'),
    disk: path('disk.qcow2'),
    state: path('state'),
    facts: manifest.facts,
  };
}

async function bootAndSave(
  folder: string,
  at: Omit<Template, 'memory' | 'disk' | 'state' | 'facts'> & { readonly accelerator: Accelerator },
  definition: HostDefinition,
  context: HostContext,
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
    await createOverlay(at.image.disk, 'raw', disk);
    await using machine = await Machine.start(
      at.shape,
      {
        label,
        kernel: at.image.kernel,
        initrd: at.image.initrd,
        disk,
        memory: { path: memory, shared: true },
        console: consoleOf(runDir, definition.name),
        incoming: false,
      },
      { signal },
    );
    const { ssh } = await firstAnswer(machine, at.ssh.privateKeyPath, { signal, deadlineMs: bootDeadlineMs });
    progress(`booted in ${seconds(started)}, preparing it`);
    await prepareGuest(ssh, definition, { signal, progress });
    const facts = await readFacts(ssh, describeAccelerator(at.accelerator), signal);
    await ssh.ok(['sync'], { signal });
    await ssh[Symbol.asyncDispose]();
    await machine.save(join(folder, 'state'));
    await machine.kill();
    // From tmpfs to the disk, holes kept: clones only read it, and it is there after a reboot.
    await execa('cp', ['--sparse=always', memory, join(folder, 'memory')], { cancelSignal: signal });
    await writeCached(join(folder, 'manifest.json'), { key: at.key, name: definition.name, facts });
  } finally {
    await rm(memory, { force: true });
    await forgetOwner(cacheDir, label);
  }
  progress(`saved as a template after ${seconds(started)}`);
}

/** A qcow2 that holds only what differs from `base`. */
export async function createOverlay(base: string, format: 'raw' | 'qcow2', path: string): Promise<void> {
  await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', format, path]);
}

/** Guests that write to memory in a file on a disk file system run at a fraction of the speed: tmpfs where it has room. */
async function fastFolder(otherwise: string, memoryMiB: number): Promise<string> {
  const shm = await statfs('/dev/shm').catch(() => undefined);
  const room = shm ? (shm.bavail * shm.bsize) / 2 ** 20 : 0;
  return room > memoryMiB * 1.25 ? '/dev/shm' : otherwise;
}

async function qemuVersion(): Promise<string> {
  const { stdout } = await execa('qemu-system-x86_64', ['--version']);
  return stdout.split('\n')[0] ?? '';
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
