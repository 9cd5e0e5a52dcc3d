import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, HullError, SystemError } from '../../base/errors.ts';
import type { DeviceRule } from '../../base/oci.ts';
import {
  attachDeviceProgram,
  detachDeviceProgram,
  loadDeviceProgram,
  openProgram,
  queryDevicePrograms,
} from '../../sys/bpf.ts';
import { readValue } from '../files.ts';
import type { Hierarchy } from '../hierarchies.ts';
import { deviceList, plainRules } from './device-list.ts';
import { deviceProgram, encodeProgram } from './device-program.ts';
import { deviceWrites, parseDeviceList } from './device-writes.ts';

/**
 * Afterwards exactly these rules hold for the group: by the v1 controller where the host has it, else by one BPF program
 * on the v2 group. Kinds: `unsupported` (neither is there), `invalid` (rules the kernel or the group above refuses).
 */
export function applyDevices(
  hierarchies: readonly Hierarchy[],
  path: string,
  rules: readonly DeviceRule[],
): void {
  const v1 = hierarchies.find(({ version, controllers }) => version === 1 && controllers.includes('devices'));
  if (v1) {
    applyList(join(v1.root, path), rules);
    return;
  }
  const v2 = hierarchies.find(({ version }) => version === 2);
  if (v2) {
    applyProgram(join(v2.root, path), rules);
    return;
  }
  throw new HullError(
    `Cannot restrict the devices of cgroup ${JSON.stringify(path)}: found neither the v1 devices controller nor cgroup v2, wanted one`,
    { kind: 'unsupported' },
  );
}

function applyList(folder: string, rules: readonly DeviceRule[]): void {
  const wanted = deviceList(rules);
  const current = parseDeviceList(readValue(join(folder, 'devices.list')) ?? '');
  // A write is for one rule, and most rules go to the same file.
  const files = new Map<string, number>();
  using opened = new DisposableStack();
  for (const { file, value } of deviceWrites(current, wanted)) {
    try {
      const descriptor = files.get(file) ?? openSync(join(folder, file), constants.O_WRONLY);
      if (!files.has(file)) opened.defer(() => closeSync(descriptor));
      files.set(file, descriptor);
      writeSync(descriptor, value);
    } catch (cause) {
      const code = codeOf(cause);
      const reason =
        code === 'EPERM'
          ? 'EPERM, the group above does not allow it'
          : code === 'EINVAL'
            ? 'EINVAL, as groups below it exist'
            : (code ?? String(cause));
      throw new HullError(
        `Cannot write ${JSON.stringify(value)} to ${JSON.stringify(join(folder, file))}: ${reason}`,
        { kind: code === 'ENOENT' ? 'not-found' : 'invalid', cause },
      );
    }
  }
}

function applyProgram(folder: string, rules: readonly DeviceRule[]): void {
  const plain = plainRules(rules);
  if (plain.otherwise === 'allow' && plain.rules.length === 0 && !isRestricted(folder)) return;
  const bytes = encodeProgram(deviceProgram(rules));
  let program: number | undefined;
  let group: number | undefined;
  try {
    group = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    program = loadDeviceProgram(bytes);
    attach(group, program);
  } catch (cause) {
    const code = codeOf(cause);
    const hint = hints[code ?? ''];
    throw new HullError(
      `Cannot restrict the devices of cgroup ${JSON.stringify(folder)}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        kind: code === 'ENOENT' ? 'not-found' : 'unsupported',
        cause,
        ...(hint === undefined ? {} : { hint }),
      },
    );
  } finally {
    if (program !== undefined) closeSync(program);
    if (group !== undefined) closeSync(group);
  }
}

/** False also where the kernel cannot tell: without programs there is no restriction. */
function isRestricted(folder: string): boolean {
  const group = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return queryDevicePrograms(group).length > 0;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  } finally {
    closeSync(group);
  }
}

const hints: Readonly<Record<string, string>> = {
  EPERM: 'It needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN.',
  ENOSYS: 'It needs a kernel with CONFIG_BPF_SYSCALL.',
  EINVAL: 'It needs a kernel with CONFIG_CGROUP_BPF.',
};

/** All attached programs must allow a device, so a new one beside the old never opens a gap, and one is left in the end. */
function attach(group: number, program: number): void {
  const before = queryDevicePrograms(group);
  const old = before.flatMap((id) => {
    try {
      return [openProgram(id)];
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []; // detached meanwhile
      throw error;
    }
  });
  try {
    const [first, ...others] = old;
    const replaced = first !== undefined && replaceProgram(group, program, first);
    if (!replaced) attachDeviceProgram(group, program);
    for (const each of replaced ? others : old) detachDeviceProgram(group, each);
  } finally {
    for (const each of old) closeSync(each);
  }
}

/** False where the kernel cannot do it in one step (before Linux 5.6). */
function replaceProgram(group: number, program: number, old: number): boolean {
  try {
    attachDeviceProgram(group, program, old);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EINVAL') return false;
    throw error;
  }
}
