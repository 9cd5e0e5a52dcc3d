import { statSync } from 'node:fs';
import { deviceHolders, deviceNumber } from './block.ts';
import { pidsIn } from './cgroups.ts';
import type { Look } from './look.ts';
import type { Mount } from './mounts.ts';
import { type OpenFile, openFiles } from './open-files.ts';
import { nameOf, type Process } from './processes.ts';
import { readOnce } from './read.ts';
import type { Thing } from './thing.ts';

/** Finds who holds a thing. Made for one look; reads every process's descriptors once, when first asked. */
export class Owners {
  readonly #look: Look;
  #files: readonly OpenFile[] | undefined;

  constructor(look: Look) {
    this.#look = look;
  }

  /** One line, or undefined where the kernel does not say who it is. */
  of(thing: Thing): string | undefined {
    const owners = this.#ownersOf(thing);
    const more = owners.length > 4 ? `; and ${owners.length - 4} more` : '';
    return owners.length === 0 ? undefined : owners.slice(0, 4).join('; ') + more;
  }

  #ownersOf(thing: Thing): string[] {
    switch (thing.kind) {
      case 'mount': {
        const target = thing.place?.replace(/^.* at /, '') ?? '';
        const inside = this.#inNamespace(thing.namespace ?? '');
        if (thing.namespace !== this.#look.tables[0]?.namespace) return inside;
        const users = this.holders(target).filter((line) => !line.includes(': mount '));
        return users.length > 0 ? users : inside.slice(0, 1);
      }
      case 'dm':
        return this.holders(`/dev/${/\((dm-\d+)/.exec(thing.what)?.[1]}`);
      case 'loop':
        return this.holders(thing.id.split(' ', 1)[0]?.replace(/^/, '/dev/') ?? '');
      case 'zfs':
        return this.#mountsThat(({ type, source }) => type === 'zfs' && source === thing.id);
      case 'cgroup':
      case 'frozen-cgroup': {
        const pids = pidsIn(thing.id);
        // Nobody: whoever made it has forgotten it, and that is worth a word.
        return pids.length === 0 ? ['no process in it'] : pids.map((pid) => this.#name(pid));
      }
      case 'namespace':
        return this.#inNamespace(thing.id).concat(
          this.#having(thing.id),
          this.#mountsThat(({ root, type }) => type === 'nsfs' && root === thing.id),
        );
      case 'process':
        return this.#parentage(thing);
      case 'socket':
        return this.#having(thing.id);
      case 'file':
        return this.holders(thing.id);
      case 'link':
      case 'nft': {
        const first = this.#look.tables[0]?.process;
        return first === undefined ? [] : [`${nameOf(first)}, ${first.namespaces.get('net')}`];
      }
      case 'sysctl':
      case 'kernel-log':
        return [];
    }
  }

  /** Who keeps a path or a block device busy, across all mount namespaces and descriptors. */
  holders(pathOrDevice: string): string[] {
    const device = blockDevice(pathOrDevice);
    const lines = device === undefined ? [] : deviceHolders(device.name);
    for (const { namespace, process, mounts } of this.#look.tables)
      for (const mount of mounts) {
        const uses =
          device === undefined
            ? isBelow(mount.target, pathOrDevice) || mentions(mount.superOptions, pathOrDevice)
            : mount.device === device.number;
        if (!uses) continue;
        const others = this.#inNamespace(namespace).length - 1;
        const more = others > 0 ? ` and ${others} more` : '';
        lines.push(`${nameOf(process)}${more}: mount ${mount.type} at ${mount.target}`);
      }
    for (const { process, via, target } of this.#openFiles()) {
      const path = target.replace(/ \(deleted\)$/, '');
      const uses =
        device === undefined ? isBelow(path, pathOrDevice) : blockDevice(path)?.number === device.number;
      if (uses) lines.push(`${nameOf(process)}: ${via} ${target}`);
    }
    return lines;
  }

  #inNamespace(namespace: string): string[] {
    return [...this.#look.processes.values()]
      .filter(({ namespaces }) => [...namespaces.values()].includes(namespace))
      .map(nameOf);
  }

  #having(target: string): string[] {
    return this.#openFiles()
      .filter((file) => file.target === target)
      .map(({ process, via }) => `${nameOf(process)}: ${via}`);
  }

  #mountsThat(isIt: (mount: Mount) => boolean): string[] {
    return this.#look.tables.flatMap(({ process, mounts }) =>
      mounts.filter(isIt).map(({ target }) => `${nameOf(process)}: mount at ${target}`),
    );
  }

  #parentage(thing: Thing): string[] {
    const process = this.#look.processes.get(Number(thing.id.split('@', 1)[0]));
    if (process === undefined) return [];
    const cgroup = (readOnce(`/proc/${process.pid}/cgroup`) ?? '')
      .split('\n')
      .map((line) => line.replace(/^\d+:[^:]*:/, ''))
      .find((path) => path !== '' && path !== '/');
    return [
      `${nameOf(process)}, child of ${this.#name(process.ppid)}${cgroup === undefined ? '' : `, cgroup ${cgroup}`}`,
    ];
  }

  #name(pid: number): string {
    const process: Process | undefined = this.#look.processes.get(pid);
    return process === undefined ? `pid ${pid}` : nameOf(process);
  }

  #openFiles(): readonly OpenFile[] {
    this.#files ??= [...openFiles(this.#look.processes)];
    return this.#files;
  }
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** `lowerdir=/a:/b,upperdir=/c` mentions /c and what is above it. */
function mentions(options: string, path: string): boolean {
  return options.split(/[,:=]/).some((part) => part.startsWith('/') && isBelow(part, path));
}

/** Name in /sys/block and number of the block device at a path; undefined where it is none. */
function blockDevice(path: string): { readonly name: string; readonly number: string } | undefined {
  if (!path.startsWith('/dev/')) return undefined;
  const direct = path.slice('/dev/'.length);
  const number = deviceNumber(direct);
  if (number !== undefined) return { name: direct, number };
  try {
    const stat = statSync(path);
    if (!stat.isBlockDevice()) return undefined;
    // Linux's major and minor in a 64-bit dev_t, see makedev(3).
    const major = ((stat.rdev >> 8) & 0xfff) | (Math.floor(stat.rdev / 2 ** 32) & ~0xfff);
    const minor = (stat.rdev & 0xff) | ((stat.rdev >> 12) & ~0xff);
    const name = readOnce(`/sys/dev/block/${major}:${minor}/uevent`)?.match(/DEVNAME=(.*)/)?.[1] ?? direct;
    return { name, number: `${major}:${minor}` };
  } catch {
    return undefined;
  }
}
