import { constants } from 'node:fs';
import { access, open, readFile, rm } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheKey, readCached, writeCached } from '../cache.ts';
import type { HostContext } from '../host.ts';
import type { GuestImage } from './image.ts';

export interface Accelerator {
  readonly name: 'kvm' | 'tcg';
  /** Why not kvm. */
  readonly reason?: string;
}

/** `tcg (kvm: …)`. */
export function describeAccelerator({ name, reason }: Accelerator): string {
  return reason === undefined ? name : `${name} (no kvm: ${reason})`;
}

/**
 * Emulated, a processor is the faster the less it can: a C library that finds AVX uses it, and each such instruction is a call
 * into the emulator; SMAP and five levels of page tables cost every access. Westmere has all that Node wants, and AES for SSH.
 * With protection keys, which the emulator's `max` has, V8 ends Node at its start now and then (nodejs/node#64500).
 */
export function acceleratorArguments(name: Accelerator['name']): readonly string[] {
  return name === 'kvm'
    ? ['-accel', 'kvm', '-cpu', 'host']
    : ['-accel', 'tcg,thread=multi', '-cpu', 'Westmere,+rdrand'];
}

/**
 * Words for the kernel under emulation: no guard against other guests of a processor that is none, no zeroing of memory
 * before its use, and the clock believed: on a busy machine the kernel would change to one that takes an exit for each look.
 */
export function acceleratorKernelWords(name: Accelerator['name']): readonly string[] {
  return name === 'kvm' ? [] : ['mitigations=off', 'init_on_alloc=0', 'tsc=reliable'];
}

/** Where QEMU itself failed before the guest said a word, the answer holds until this machine boots again. */
interface Answer {
  readonly accelerator: Accelerator;
  readonly bootId?: string;
}

const probeMs = 20_000;
const said = 'seatrial-user-space';

/**
 * The accelerator that boots the guest's own kernel to its user space. /dev/kvm may exist and still not do that, so it
 * is tried; the answer is kept for this kernel of the host, this QEMU and this kernel of the guest.
 */
export async function chooseAccelerator(
  image: GuestImage,
  qemuVersion: string,
  context: Pick<HostContext, 'cacheDir' | 'runDir' | 'signal' | 'progress'>,
): Promise<Accelerator> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return {
      name: 'tcg',
      reason: code === 'ENOENT' ? 'no /dev/kvm' : `no access to /dev/kvm (${String(code)})`,
    };
  }
  const key = cacheKey([release(), await cpuModel(), qemuVersion, image.key]);
  const path = join(context.cacheDir, 'accelerators', `${key}.json`);
  const bootId = await bootIdentity();
  const known = await readCached<Answer>(path);
  if (known && (known.bootId ?? bootId) === bootId) return known.accelerator;
  context.progress('trying whether KVM boots this kernel');
  const { boots, reason } = await tryKvm(image, context);
  context.signal.throwIfAborted();
  const answer: Accelerator = boots ? { name: 'kvm' } : { name: 'tcg', ...(reason ? { reason } : {}) };
  const kept: Answer = { accelerator: answer, ...(boots === undefined ? { bootId } : {}) };
  await writeCached(path, kept);
  return answer;
}

/** Whether KVM ran the kernel and a program in its initrd, or what was seen instead; undefined where QEMU itself failed. */
async function tryKvm(
  image: GuestImage,
  { runDir, signal }: Pick<HostContext, 'runDir' | 'signal'>,
): Promise<{ readonly boots: boolean | undefined; readonly reason?: string }> {
  const consolePath = join(runDir, `kvm-probe-${image.key}-${process.pid}.log`);
  await (await open(consolePath, 'w')).close();
  const args = [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-m', '512M'],
    ...acceleratorArguments('kvm'),
    ...['-kernel', image.kernel, '-initrd', image.initrd],
    ...['-append', `console=ttyS0 panic=-1 rdinit=/bin/sh -- -c "echo ${said}"`],
    ...['-serial', `file:${consolePath}`],
  ];
  try {
    const result = await execa('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], {
      reject: false,
      timeout: probeMs,
      killSignal: 'SIGKILL',
      cancelSignal: signal,
    });
    const console = (await readFile(consolePath, 'utf8')).trim();
    if (console.includes(said)) return { boots: true };
    const words = result.stderr.trim().split('\n')[0] || lastLine(console);
    if (result.timedOut)
      return {
        boots: false,
        reason: `the guest's kernel did not boot within ${probeMs / 1000} s${after(words)}`,
      };
    const reason = `QEMU ended with status ${result.exitCode ?? result.signal}${after(words)}`;
    return { boots: console === '' ? undefined : false, reason };
  } finally {
    await rm(consolePath, { force: true });
  }
}

function after(words: string): string {
  return words ? `: ${words}` : ', its console stayed silent';
}

function lastLine(text: string): string {
  return text.split('\n').at(-1)?.trim() ?? '';
}

/** Under KVM the guest has the processor's own features, so a state saved on another one cannot be resumed. */
export async function cpuModel(): Promise<string> {
  const info = await readFile('/proc/cpuinfo', 'utf8');
  return ['model name', 'stepping', 'microcode', 'flags']
    .map((name) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(info)?.[1] ?? '')
    .join('/');
}

async function bootIdentity(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
