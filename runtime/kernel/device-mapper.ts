import { access, readdir, readFile } from 'node:fs/promises';
import { run } from '../base/command.ts';
import { codeOf, ifExists } from '../base/errors.ts';
import { type DmInfo, type DmTarget, dmRequest } from '../sys/libdevmapper.ts';
import type { ProbeAnswer } from './probe.ts';

export type { DmInfo, DmTarget } from '../sys/libdevmapper.ts';

/** Typed device-mapper operations; each error names the device. Calls are synchronous: milliseconds each. dmsetup(8) */
export const deviceMapper = {
  /** Undefined where there is no such device. */
  info(name: string): DmInfo | undefined {
    const { info } = dmRequest({ type: 'info', name, op: `ask about device ${quote(name)}` });
    return info?.exists ? info : undefined;
  },

  /**
   * Makes the device with its table, active. A device that exists is an error (EBUSY). Not in the library's one request for all of it: Debian 11's
   * (1.02.175) then does not tell why the kernel refused the table.
   */
  create(name: string, uuid: string, targets: readonly DmTarget[]): DmInfo {
    const op = `create device ${quote(name)} as ${targets.map(({ type }) => type).join(', ')}`;
    dmRequest({ type: 'create', name, uuid, op });
    try {
      dmRequest({ type: 'reload', name, targets, op });
      dmRequest({ type: 'resume', name, op });
    } catch (error) {
      deviceMapper.remove(name);
      throw error;
    }
    const info = deviceMapper.info(name);
    if (!info) throw new Error(`Cannot ${op}: it is gone again`);
    return info;
  },

  /** Loads a table beside the live one; `resume` changes over. */
  reload(name: string, targets: readonly DmTarget[]): void {
    dmRequest({ type: 'reload', name, targets, op: `load a table into device ${quote(name)}` });
  },

  /** Afterwards no input or output reaches the device below; a file system on it is frozen first. */
  suspend(name: string): void {
    dmRequest({ type: 'suspend', name, op: `suspend device ${quote(name)}` });
  },

  resume(name: string): void {
    dmRequest({ type: 'resume', name, op: `resume device ${quote(name)}` });
  },

  /** Answers false where it is in use (EBUSY). Afterwards, for true, it is absent, also when it was before. */
  remove(name: string): boolean {
    try {
      dmRequest({ type: 'remove', name, op: `remove device ${quote(name)}` });
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENXIO') return true;
      if (codeOf(error) === 'EBUSY') return false;
      throw error;
    }
  },

  /** The kernel removes the device when its last user closes it. Answers false where it cannot (before 3.13). */
  removeDeferred(name: string): boolean {
    try {
      dmRequest({ type: 'remove', name, deferred: true, op: `remove device ${quote(name)} later` });
      return deviceMapper.info(name)?.deferredRemove ?? true;
    } catch (error) {
      if (codeOf(error) === 'ENXIO') return true;
      if (codeOf(error) === 'EBUSY' || codeOf(error) === 'EINVAL') return false;
      throw error;
    }
  },

  /** Afterwards a deferred removal is called off. */
  cancelDeferredRemove(name: string): void {
    deviceMapper.message(name, '@cancel_deferred_remove');
  },

  message(name: string, message: string): void {
    dmRequest({ type: 'message', name, message, op: `send ${quote(message)} to device ${quote(name)}` });
  },

  status(name: string): readonly DmTarget[] {
    return dmRequest({ type: 'status', name, op: `read the status of device ${quote(name)}` }).targets;
  },

  table(name: string): readonly DmTarget[] {
    return dmRequest({ type: 'table', name, op: `read the table of device ${quote(name)}` }).targets;
  },

  /** Names of all devices, from sysfs. */
  async list(): Promise<readonly string[]> {
    const blocks = ((await ifExists(readdir('/sys/block'))) ?? []).filter((name) => name.startsWith('dm-'));
    const names = await Promise.all(blocks.map((name) => readSysfs(`/sys/block/${name}/dm/name`)));
    return names.filter((name) => name !== undefined);
  },

  /** `major:minor` of the devices that this one's table maps to, from sysfs. */
  async deps(minor: number): Promise<readonly string[]> {
    const slaves = (await ifExists(readdir(`/sys/block/dm-${minor}/slaves`))) ?? [];
    const numbers = await Promise.all(slaves.map((name) => readSysfs(`/sys/class/block/${name}/dev`)));
    return numbers.filter((number) => number !== undefined);
  },
};

/** devtmpfs's node of a device. */
export function deviceNode({ minor }: Pick<DmInfo, 'minor'>): string {
  return `/dev/dm-${minor}`;
}

/** Whether the kernel has these device-mapper targets: asks it, after trying to load the modules. */
export async function probeDeviceMapper(targets: readonly string[]): Promise<ProbeAnswer> {
  if (!(await isThere('/dev/mapper/control'))) {
    await modprobe('dm_mod');
    if (!(await isThere('/dev/mapper/control'))) {
      return {
        answer: 'unsupported',
        missing: 'the device mapper (/dev/mapper/control) in this kernel',
        since: '2.6',
      };
    }
  }
  try {
    for (const target of targets) {
      if (dmRequest({ type: 'listVersions', op: 'list device-mapper targets' }).versions.has(target))
        continue;
      await modprobe(`dm-${target}`);
      if (dmRequest({ type: 'listVersions', op: 'list device-mapper targets' }).versions.has(target))
        continue;
      return {
        answer: 'unsupported',
        missing: `the device-mapper target ${target} in this kernel`,
        since: '3.2',
      };
    }
    return { answer: 'supported' };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM') {
      return { answer: 'unsupported', missing: `the right to use the device mapper: ${text}` };
    }
    if (error instanceof Error && 'kind' in error && error.kind === 'unsupported') {
      return { answer: 'unsupported', missing: text };
    }
    return { answer: 'unknown', reason: text };
  }
}

// dm-thin-pool is the module of both `thin` and `thin-pool`; what cannot be loaded shows in the next look.
async function modprobe(module: string): Promise<void> {
  const name = module === 'dm-thin' ? 'dm-thin-pool' : module;
  await run('modprobe', [name]).catch(() => undefined);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readSysfs(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return undefined;
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}
