import { dirname } from 'node:path/posix';
import { HullError } from '../base/errors.ts';
import type { Device, SpecMount } from '../base/oci.ts';
import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { type CgroupFolder, cgroupFolders, mountCgroupFolders } from './cgroup-mount-steps.ts';
import { sysctlFile } from './check-sysctls.ts';
import { writeText } from './common-steps.ts';
import { AT_FDCWD, flagsOf, MODE, named, OPEN } from './constants.ts';
import { mountCopyUp } from './copy-up-steps.ts';
import { openMappedTrees } from './idmapped-mount-steps.ts';
import {
  afterMount,
  type MountedRoot,
  mountAt,
  mountFlags,
  quote,
  restrictMount,
  setPropagation,
  stagedRoot,
  stageRoot,
  stagingRoot,
} from './mount-steps.ts';
import type { NamespacePlan } from './namespace-steps.ts';
import type { Cell } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';
import type { LaunchRequest } from './types.ts';
import type { ClonedTrees } from './user-namespace-steps.ts';

/**
 * # The root, in the order that must hold
 *
 * 1. Everything of the host that is needed later is opened, as descriptors: sources of bind mounts, /proc, /dev/null.
 * 2. The root is mounted below a private tmpfs, the *staging* root; pivot_root makes that tmpfs `/`, with the container's
 *    root as `/root` and the host's as `/old`. chroot to `/root`: from here on a path of the image, with all its links and
 *    dots, cannot lead out of the container.
 * 3. Mounts, devices, masked paths. Bind sources are named by descriptor: the host's own `/proc/self/fd` is the
 *    working folder, and the source is a number in it.
 * 4. Back to the staging root, pivot_root again into the container's, and the staging root is detached with
 *    the host's tree in it.
 */
export interface HostHandles {
  /** The host's /proc. */
  readonly proc: Cell;
  /** The host's /proc/self/fd. */
  readonly descriptors: Cell;
  readonly sources: ReadonlyMap<SpecMount, BindSource>;
  /** In a user namespace no device can be made: the host's are bound in. */
  readonly devices: ReadonlyMap<string, number>;
  /** What a mount of type cgroup shows on a host with version 1. */
  readonly cgroups: readonly (CgroupFolder & { readonly descriptor: number })[];
  /** Two numbers that are free. */
  readonly free: readonly [number, number];
}

interface BindSource {
  /** Fixed, so that the source can be named by it. */
  readonly descriptor: number;
  /** A detached copy, for move_mount: still in its peer group (rshared volumes), or with its ids mapped. */
  readonly tree?: Cell;
}

const nullDescriptor = (p: ProgramBuilder): number => p.recordDescriptor + 96;
const firstSourceDescriptor = (p: ProgramBuilder): number => p.recordDescriptor + 97;

export function openHostHandles(
  p: ProgramBuilder,
  { spec, cgroup }: Pick<LaunchRequest, 'spec' | 'cgroup'>,
  namespaces: NamespacePlan,
  mapped: ClonedTrees = openMappedTrees(p, spec),
): HostHandles {
  const mounts = spec.mounts ?? [];
  const proc = openPath(p, 'proc', '/proc', 'open /proc');
  const descriptors = openPath(p, 'own descriptors', '/proc/self/fd', 'open /proc/self/fd');
  fix(p, openPath(p, 'null', '/dev/null', 'open "/dev/null"'), nullDescriptor(p));
  const sources = new Map<SpecMount, BindSource>();
  for (const mount of mounts) {
    if (!isBind(mount)) continue;
    const source = mount.source ?? '';
    const descriptor = firstSourceDescriptor(p) + sources.size;
    fix(
      p,
      openPath(p, 'source', source, `open ${quote(source)} for ${quote(mount.destination)}`),
      descriptor,
    );
    const { propagation, flags } = parseMountOptions(mount.options ?? []);
    const own = mapped?.get(mount);
    if (own) {
      sources.set(mount, { descriptor, tree: own });
      continue;
    }
    if (!propagation.some((change) => (change & MS.SHARED) !== 0)) {
      sources.set(mount, { descriptor });
      continue;
    }
    const tree = p.cell('tree');
    const recursive = (flags & MS.REC) !== 0 ? 0x8000 : 0;
    const openTree = named(0o2000001 | 0x1000 | recursive, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH');
    p.call('open_tree', [descriptor, p.text(''), openTree], {
      what: `copy the mount of ${quote(source)}`,
      result: tree,
    });
    sources.set(mount, { descriptor, tree });
  }
  const devices = new Map<string, number>();
  if (namespaces.user) {
    const paths = new Set([
      ...Object.keys(defaultDevices),
      ...(spec.linux.devices ?? []).map(({ path }) => path),
    ]);
    for (const path of paths) {
      const descriptor = firstSourceDescriptor(p) + sources.size + devices.size;
      fix(p, openPath(p, 'device', path, `open device ${quote(path)}`), descriptor);
      devices.set(path, descriptor);
    }
  }
  const shown = mounts.some(({ type }) => type === 'cgroup') ? cgroupFolders(cgroup) : [];
  const cgroups = shown.map((folder, index) => {
    const descriptor = firstSourceDescriptor(p) + sources.size + devices.size + index;
    fix(p, openPath(p, 'cgroup', folder.path, `open cgroup ${quote(folder.path)}`), descriptor);
    return { ...folder, descriptor };
  });
  const used = sources.size + devices.size + cgroups.length;
  const first = firstSourceDescriptor(p) + used;
  return { proc, descriptors, sources, devices, cgroups, free: [first, first + 1] };
}

function openPath(p: ProgramBuilder, name: string, path: string, what: string): Cell {
  const fd = p.cell(name);
  p.call('openat', [AT_FDCWD, p.text(path), flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], { what, result: fd });
  return fd;
}

function fix(p: ProgramBuilder, fd: Cell, descriptor: number): void {
  p.call('dup3', [fd, descriptor, flagsOf('O_', OPEN, ['CLOEXEC'])]);
  p.call('close', [fd]);
}

function isBind({ type, options }: SpecMount): boolean {
  return type === 'bind' || (options ?? []).some((word) => word === 'bind' || word === 'rbind');
}

export type RootRequest = Pick<LaunchRequest, 'spec' | 'cgroup' | 'noPivot'> & {
  readonly rootMounts: LaunchRequest['rootMounts'] | MountedRoot;
};

/** Steps 2 to 4 of the order above. */
export function buildRoot(
  p: ProgramBuilder,
  request: RootRequest,
  host: HostHandles,
  { inRoot }: { readonly inRoot?: (() => void) | undefined } = {},
): void {
  const { spec } = request;
  p.call('umask', [0]);
  stageRoot(p, request.rootMounts);
  const outside = request.noPivot ? '/' : stagingRoot;
  const staging = openPath(p, 'staging', outside, `open ${quote(outside)}`);
  if (!request.noPivot)
    p.call('pivot_root', [p.text(stagingRoot), p.text(`${stagingRoot}/old`)], {
      what: 'make the staging root "/"',
    });
  const confined = request.noPivot ? stagedRoot : '/root';
  p.call('chroot', [p.text(confined)], { what: 'confine paths to the root' });
  p.call('fchdir', [host.descriptors], { what: 'enter /proc/self/fd of the host' });

  for (const mount of spec.mounts ?? []) specMount(p, mount, host);
  if ((spec.mounts ?? []).some((mount) => mount.destination === '/dev' && !isBind(mount))) fillDev(p, host);
  for (const device of spec.linux.devices ?? []) makeDevice(p, device, host);
  for (const [name, value] of Object.entries(spec.linux.sysctl ?? {}))
    writeText(p, host.proc, `sys/${sysctlFile(name)}`, value, {
      what: `set sysctl ${name} to ${value}`,
    });
  inRoot?.();
  for (const path of spec.linux.maskedPaths ?? []) maskPath(p, path);
  for (const path of spec.linux.readonlyPaths ?? []) makeReadonly(p, path);
  makeFolders(p, spec.process.cwd);

  if (request.noPivot) moveRoot(p, staging);
  else pivotInto(p, staging);
  p.call('chdir', [p.text('/')], { what: 'enter "/"' });
  if (spec.root.readonly) restrictMount(p, '/', MS.RDONLY, '"/"');
  const { rootfsPropagation } = spec.linux;
  if (rootfsPropagation) setPropagation(p, '/', rootPropagation(rootfsPropagation), '"/"');
  p.call('chdir', [p.text(spec.process.cwd)], { what: `enter working folder ${quote(spec.process.cwd)}` });
}

function pivotInto(p: ProgramBuilder, staging: Cell): void {
  p.call('fchdir', [staging], { what: 'go back to the staging root' });
  p.call('chroot', [p.text('.')], { what: 'leave the confinement' });
  p.call('chdir', [p.text('/root')], { what: 'enter the root' });
  p.call('pivot_root', [p.text('.'), p.text('.')], { what: 'make the root "/"' });
  p.call('umount2', [p.text('.'), named(2, 'MNT_DETACH')], { what: "let go of the host's tree" });
}

/** Over the host's root, which stays below and out of reach: on an initramfs, which cannot be put away. */
function moveRoot(p: ProgramBuilder, hostRoot: Cell): void {
  p.call('fchdir', [hostRoot], { what: "go back to the host's root" });
  p.call('chroot', [p.text('.')], { what: 'leave the confinement' });
  p.call('chdir', [p.text(stagedRoot)], { what: 'enter the root' });
  p.call('mount', [p.text('.'), p.text('/'), 0, mountFlags(MS.MOVE), 0], {
    what: 'move the root to "/"',
  });
  p.call('chroot', [p.text('.')], { what: 'make the root "/"' });
}

function rootPropagation(word: string): number {
  const [change, ...others] = parseMountOptions([word]).propagation;
  if (change !== undefined && others.length === 0) return change;
  throw new HullError(
    `Cannot set linux.rootfsPropagation: found ${quote(word)}, wanted private, slave, shared or unbindable, or one of them with "r" before it`,
    { kind: 'invalid' },
  );
}

function specMount(p: ProgramBuilder, mount: SpecMount, host: HostHandles): void {
  const { destination } = mount;
  if (!destination.startsWith('/'))
    throw new HullError(`Cannot mount at ${quote(destination)}: wanted an absolute path`, {
      kind: 'invalid',
    });
  const words = mount.options ?? [];
  if (mount.type === 'cgroup') {
    mountCgroups(p, mount, host);
    return;
  }
  const source = host.sources.get(mount);
  if (!source) {
    makeFolders(p, destination);
    const type = mount.type ?? 'none';
    const name = mount.source ?? type;
    const call = { type, source: p.text(name), sourceText: name, words, target: destination };
    if (type === 'tmpfs' && parseMountOptions(words).copyUp) mountCopyUp(p, call, host.free);
    else mountAt(p, call);
    return;
  }
  makeTarget(p, source, destination);
  const name = mount.source ?? '';
  // A volume keeps to itself unless it is asked to share: a mount made in it on the host stays there.
  const propagation = parseMountOptions(words).propagation.length === 0 ? ['rprivate'] : [];
  if (source.tree) {
    const what = `mount ${quote(name)} at ${quote(destination)}`;
    const emptyPath = named(4, 'MOVE_MOUNT_F_EMPTY_PATH');
    p.call('move_mount', [source.tree, p.text(''), AT_FDCWD, p.text(destination), emptyPath], { what });
    afterMount(p, destination, quote(destination), parseMountOptions([...words, ...propagation]), true);
    return;
  }
  const bind = words.includes('rbind') || words.includes('bind') ? [] : ['bind'];
  mountAt(p, {
    type: 'bind',
    source: p.text(String(source.descriptor)),
    sourceText: name,
    words: [...bind, ...words, ...propagation],
    target: destination,
  });
}

/** mkdir -p; what is there already, or cannot be made on a read-only tree, shows at the mount. */
function makeFolders(p: ProgramBuilder, path: string): void {
  const parts = path.split('/').filter(Boolean);
  for (const index of parts.keys()) {
    const folder = `/${parts.slice(0, index + 1).join('/')}`;
    p.call('mkdirat', [AT_FDCWD, p.text(folder), 0o755], {
      what: `make folder ${quote(folder)}`,
      errors: { EEXIST: 'next', EROFS: 'next' },
    });
  }
}

/** A folder for a folder, an empty file for anything else; which of them it is, is known only at run time. */
function makeTarget(p: ProgramBuilder, source: BindSource, destination: string): void {
  const status = p.buffer('statx', 256);
  const folder = p.label(`${destination} is a folder`);
  const done = p.label(`${destination} is there`);
  makeFolders(p, dirname(destination));
  const type = named(1, 'STATX_TYPE');
  p.call('statx', [source.descriptor, p.text(''), named(0x1000, 'AT_EMPTY_PATH'), type, address(status)], {
    what: `look at the source of ${quote(destination)}`,
  });
  p.local(at(status, 28), { mask: 0xf000n, minus: MODE.DIR, zero: folder });
  p.call('mknodat', [AT_FDCWD, p.text(destination), named(MODE.FILE | 0o644, 'S_IFREG|0644'), 0], {
    what: `make file ${quote(destination)}`,
    errors: { EEXIST: 'next', EROFS: 'next' },
  });
  p.goto(done);
  p.place(folder);
  p.call('mkdirat', [AT_FDCWD, p.text(destination), 0o755], {
    what: `make folder ${quote(destination)}`,
    errors: { EEXIST: 'next', EROFS: 'next' },
  });
  p.place(done);
}

const defaultDevices = {
  '/dev/null': [1, 3],
  '/dev/zero': [1, 5],
  '/dev/full': [1, 7],
  '/dev/random': [1, 8],
  '/dev/urandom': [1, 9],
  '/dev/tty': [5, 0],
} as const;

/** What every container finds in /dev (config-linux.md, "Default Devices"). */
function fillDev(p: ProgramBuilder, host: HostHandles): void {
  for (const [path, [major, minor]] of Object.entries(defaultDevices))
    makeDevice(p, { type: 'c', path, major, minor, fileMode: 0o666 }, host);
  const links = {
    fd: '/proc/self/fd',
    stdin: '/proc/self/fd/0',
    stdout: '/proc/self/fd/1',
    stderr: '/proc/self/fd/2',
    ptmx: 'pts/ptmx',
  };
  for (const [name, target] of Object.entries(links))
    p.call('symlinkat', [p.text(target), AT_FDCWD, p.text(`/dev/${name}`)], {
      what: `link ${quote(`/dev/${name}`)} to ${quote(target)}`,
      errors: { EEXIST: 'next' },
    });
}

function makeDevice(p: ProgramBuilder, device: Device, host: HostHandles): void {
  const bound = host.devices.get(device.path);
  if (bound !== undefined) {
    const file = named(MODE.FILE | 0o644, 'S_IFREG|0644');
    makeFolders(p, dirname(device.path));
    p.call('mknodat', [AT_FDCWD, p.text(device.path), file, 0], {
      what: `make file ${quote(device.path)}`,
      errors: { EEXIST: 'next' },
    });
    p.call('mount', [p.text(String(bound)), p.text(device.path), 0, mountFlags(MS.BIND), 0], {
      what: `bind device ${quote(device.path)}`,
    });
    return;
  }
  const type = device.type === 'b' ? MODE.BLOCK : device.type === 'p' ? MODE.FIFO : MODE.CHAR;
  const { major = 0, minor = 0, fileMode = 0o666, uid = 0, gid = 0 } = device;
  const number = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  makeFolders(p, dirname(device.path));
  const mode = named(type | (fileMode & 0o7777), `${device.type}|0${(fileMode & 0o7777).toString(8)}`);
  p.call(
    'mknodat',
    [AT_FDCWD, p.text(device.path), mode, named(number >>> 0, `makedev(${major}, ${minor})`)],
    {
      what: `make device ${quote(device.path)}`,
      errors: { EEXIST: 'next' },
    },
  );
  if (uid !== 0 || gid !== 0)
    p.call('fchownat', [AT_FDCWD, p.text(device.path), uid, gid, 0], {
      what: `give device ${quote(device.path)} to ${uid}:${gid}`,
    });
}

/** A file is covered by the host's /dev/null (never the image's), a folder by an empty tmpfs. */
function maskPath(p: ProgramBuilder, path: string): void {
  const done = p.label(`${path} masked`);
  const folder = p.label(`${path} is a folder`);
  const what = `mask ${quote(path)}`;
  p.call('mount', [p.text(String(nullDescriptor(p))), p.text(path), 0, mountFlags(MS.BIND), 0], {
    what,
    errors: { ENOENT: done, ENOTDIR: folder },
    zero: done,
  });
  p.place(folder);
  p.call('mount', [p.text('tmpfs'), p.text(path), p.text('tmpfs'), mountFlags(MS.RDONLY), 0], {
    what,
  });
  p.place(done);
}

function makeReadonly(p: ProgramBuilder, path: string): void {
  const done = p.label(`${path} read-only`);
  const target = p.text(path);
  p.call('mount', [target, target, 0, mountFlags(MS.BIND | MS.REC), 0], {
    what: `bind ${quote(path)} to itself`,
    errors: { ENOENT: done },
  });
  restrictMount(p, path, MS.RDONLY, quote(path));
  p.place(done);
}

/** The one hierarchy of version 2, as the container's cgroup namespace shows it; or a folder for each of version 1. */
function mountCgroups(p: ProgramBuilder, mount: SpecMount, { cgroups }: HostHandles): void {
  const { destination, options = [] } = mount;
  makeFolders(p, destination);
  if (cgroups.length > 0) {
    mountCgroupFolders(p, mount, cgroups);
    return;
  }
  mountAt(p, {
    type: 'cgroup2',
    source: p.text('cgroup'),
    sourceText: 'cgroup',
    words: options,
    target: destination,
  });
}
