import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { buildFolder, cacheKey, readCached } from '../cache.ts';
import type { HostContext, HostDefinition, HostFacts } from '../host.ts';
import { takeLock } from '../lock.ts';
import { chooseAccelerator, cpuModel, describeAccelerator } from './accelerator.ts';
import { type ClientKey, clientKey } from './client-key.ts';
import { type MachineShape, qemuArguments } from './command-line.ts';
import { ensureImage, type GuestImage } from './image.ts';
import { type OwnKernel, ownKernelFile, readOwnKernel } from './own-kernel.ts';
import { pruneCache } from './prune.ts';
import { saveTemplate } from './save-template.ts';
import type { QemuTimes } from './times.ts';

/** What a template is made of and where it goes. */
export interface TemplatePlan {
  readonly key: string;
  readonly folder: string;
  readonly image: GuestImage;
  /** Instead of the image's. */
  readonly ownKernel: OwnKernel | undefined;
  readonly shape: MachineShape;
  readonly ssh: ClientKey;
}

/** A booted and provisioned guest, saved: memory, disk and device state. Never written; runs are clones of it. */
export interface Template extends TemplatePlan {
  readonly memory: string;
  readonly disk: string;
  readonly state: string;
  readonly facts: HostFacts;
}

/** Counted up when what provisioning leaves in a template changes. */
const recipe = 4;

/** The host's template from the cache: built from its image when it is not there. */
export async function ensureTemplate(
  definition: HostDefinition,
  context: HostContext,
  times: QemuTimes,
): Promise<Template> {
  const { cacheDir, signal, progress } = context;
  const { kernel } = definition;
  const [ownKernel, image, qemu, ssh] = await Promise.all([
    kernel === undefined ? undefined : readOwnKernel(definition.name, kernel),
    ensureImage(definition, context),
    qemuVersion(),
    clientKey(cacheDir, signal),
  ]);
  const accelerator = await chooseAccelerator(image, qemu, context);
  const { cpus, memoryMiB, kernelArgs } = definition;
  const shape = { accelerator: accelerator.name, cpus, memoryMiB, kernelArgs };
  const key = await templateKey(shape, qemu, image, ownKernel);
  const folder = join(cacheDir, 'templates', `${definition.name}-${key}`);
  const plan = { key, folder, image, ownKernel, shape, ssh };
  const template = await openTemplate(plan);
  if (template) return template;
  await using _lock = await takeLock(join(cacheDir, 'locks', `template-${definition.name}.lock`), {
    signal,
    onWait: () => progress('waiting for another run that boots this host'),
  });
  const others = await openTemplate(plan);
  if (others) return others;
  progress(`booting with ${describeAccelerator(accelerator)}`);
  await buildFolder(folder, (temporary) =>
    saveTemplate(temporary, plan, describeAccelerator(accelerator), definition, context, times),
  );
  await pruneCache(cacheDir, definition.name, progress);
  const built = await openTemplate(plan);
  if (!built) throw new Error(`Cannot save the template of ${definition.name}: nothing in ${folder}`);
  return built;
}

/** A state is only good for the same QEMU with the same arguments (files apart), kernel and disk. */
async function templateKey(
  shape: MachineShape,
  qemu: string,
  image: GuestImage,
  ownKernel: OwnKernel | undefined,
): Promise<string> {
  const args = qemuArguments(shape, {
    label: 'label',
    kernel: 'kernel',
    initrd: 'initrd',
    disk: 'disk',
    memory: { path: 'memory', shared: false },
    console: 'console',
    incoming: true,
  });
  const cpu = shape.accelerator === 'kvm' ? await cpuModel() : '';
  return cacheKey([recipe, qemu, args, image.key, cpu, ...(ownKernel ? [ownKernel.hash] : [])]);
}

async function openTemplate(plan: TemplatePlan): Promise<Template | undefined> {
  const manifest = await readCached<{ facts: HostFacts }>(join(plan.folder, 'manifest.json'));
  if (!manifest) return undefined;
  const now = new Date();
  await utimes(plan.folder, now, now);
  const path = (name: string) => join(plan.folder, name);
  return {
    ...plan,
    image: plan.ownKernel ? { ...plan.image, kernel: path(ownKernelFile) } : plan.image,
    memory: path('memory'),
    disk: path('disk.qcow2'),
    state: path('state'),
    facts: manifest.facts,
  };
}

async function qemuVersion(): Promise<string> {
  const { stdout } = await execa('qemu-system-x86_64', ['--version']);
  return stdout.split('\n')[0] ?? '';
}
