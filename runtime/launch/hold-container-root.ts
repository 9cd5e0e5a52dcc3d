import { closeSync } from 'node:fs';
import { MS } from '../kernel/mount-options.ts';
import { begin, dieWithParent, reportFailures } from './common-steps.ts';
import { targetDescriptor } from './compile-exec.ts';
import { AT_FDCWD, flagsOf, MOVE_MOUNT, named, OPEN } from './constants.ts';
import { type HeldRoot, holdUntilReleased, startHolder } from './holder.ts';
import { mountFlags, newMountNamespace } from './mount-steps.ts';
import { namespaceFlag } from './namespace-steps.ts';
import { openTarget } from './open-target.ts';
import type { Cell, Program } from './program.ts';
import { ProgramBuilder } from './program-builder.ts';
import type { ExecRequest } from './types.ts';

export interface RootHoldOptions {
  /** What of the container's own mounts is seen in the root, as their mount points; default: nothing. */
  readonly mountPoints?: readonly string[];
}

/**
 * The root file system of a running container, without what is mounted in it (/proc, /dev, volumes that are not asked for): a helper enters the
 * container's mount namespace, and a copy of that, in which only its own bind of the root counts. As with `holdMounts`, links
 * below `path` lead into the host: walk it without following any. Where the container ends meanwhile, the helper
 * keeps its root busy until it is disposed. Kind `conflict` where the process has ended; LaunchError names a step that failed.
 */
export async function holdContainerRoot(
  target: ExecRequest['target'],
  options: RootHoldOptions = {},
): Promise<HeldRoot> {
  const program = compileRootHolder(options);
  const process = openTarget(target, 'look into');
  try {
    return await startHolder(program, new Map([[targetDescriptor, process]]));
  } finally {
    closeSync(process);
  }
}

/** Descriptor 5 is the target's folder in /proc. */
export function compileRootHolder({ mountPoints = [] }: RootHoldOptions = {}): Program {
  const p = new ProgramBuilder();
  reportFailures(p, 'root holder');
  begin(p, 'hull-hold', targetDescriptor + 1);
  dieWithParent(p);
  const open = (path: string, mode: 'RDONLY' | 'PATH') => {
    const fd = p.cell(path);
    p.call('openat', [targetDescriptor, p.text(path), flagsOf('O_', OPEN, [mode, 'CLOEXEC'])], {
      what: `open ${path} of the target`,
      result: fd,
    });
    return fd;
  };
  const root = open('root', 'PATH');
  const namespace = open('ns/mnt', 'RDONLY');
  p.call('setns', [namespace, namespaceFlag('mount')], { what: 'join the mount namespace' });
  p.call('fchdir', [root], { what: "enter the container's root" });
  p.call('chroot', [p.text('.')], { what: "make the container's root ours" });
  p.call('unshare', [newMountNamespace], { what: 'copy the mount namespace' });
  p.call('mount', [0, p.text('/'), 0, mountFlags(MS.REC | MS.PRIVATE), 0], {
    what: 'keep mounts from reaching the container',
  });
  const trees = topmost(mountPoints).map((path) => ({ path, tree: copyMount(p, path) }));
  // On top of the root itself, and without what is mounted in it; ".." of the root is what is mounted over it.
  p.call('mount', [p.text('/'), p.text('/'), 0, mountFlags(MS.BIND), 0], { what: 'show the root alone' });
  p.call('chdir', [p.text('/..')], { what: 'enter the bare root' });
  if (trees.length > 0) p.call('chroot', [p.text('.')], { what: 'confine paths to the bare root' });
  for (const { path, tree } of trees) {
    p.call('move_mount', [tree, p.text(''), AT_FDCWD, p.text(path), MOVE_MOUNT], {
      what: `show the mount at ${JSON.stringify(path)}`,
      errors: 'next',
    });
    p.call('close', [tree], { errors: 'next' });
  }
  for (const fd of [root, namespace, targetDescriptor]) p.call('close', [fd]);
  holdUntilReleased(p);
  return p.build();
}

/** A detached copy of what is at a path, with all below; none where the container has removed the mount point. */
function copyMount(p: ProgramBuilder, path: string): Cell {
  const tree = p.cell(`mount at ${path}`, -1);
  const flags = named(0o2000001 | 0x8000, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE');
  p.call('open_tree', [AT_FDCWD, p.text(path), flags], {
    what: `copy the mount at ${JSON.stringify(path)}`,
    result: tree,
    errors: 'next',
  });
  return tree;
}

/** Those that are not below another: a copy brings what is mounted below along. */
function topmost(paths: readonly string[]): readonly string[] {
  return paths.filter((path) => !paths.some((other) => path.startsWith(`${other}/`)));
}
