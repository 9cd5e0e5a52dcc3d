import { HullError } from '../base/errors.ts';
import type { IdMapping, Spec, SpecMount } from '../base/oci.ts';
import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { AT_FDCWD, named } from './constants.ts';
import { attributesOf, quote } from './mount-steps.ts';
import type { Cell } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';
import { makeUserNamespace } from './user-namespace-steps.ts';

/**
 * Detached copies of the sources of mounts with `idmap` or `ridmap`, their ids mapped (mount_setattr(2), 5.12). It takes rights on the
 * file system, so it is done before a user namespace is entered; the copies are put in place by move_mount.
 */
export function openMappedTrees(
  p: ProgramBuilder,
  { mounts = [], linux }: Pick<Spec, 'mounts' | 'linux'>,
): ReadonlyMap<SpecMount, Cell> {
  const trees = new Map<SpecMount, Cell>();
  for (const mount of mounts) {
    const { idmap, flags } = parseMountOptions(mount.options ?? []);
    if (!idmap && !mount.uidMappings && !mount.gidMappings) continue;
    const maps = {
      uidMappings: mount.uidMappings ?? linux.uidMappings ?? [],
      gidMappings: mount.gidMappings ?? linux.gidMappings ?? [],
    };
    trees.set(
      mount,
      openMappedTree(p, mount, maps, { wholeTree: idmap === 'ridmap', recursive: (flags & MS.REC) !== 0 }),
    );
  }
  return trees;
}

function openMappedTree(
  p: ProgramBuilder,
  { source = '', destination }: SpecMount,
  maps: { readonly uidMappings: readonly IdMapping[]; readonly gidMappings: readonly IdMapping[] },
  { wholeTree, recursive }: { readonly wholeTree: boolean; readonly recursive: boolean },
): Cell {
  if (maps.uidMappings.length === 0 || maps.gidMappings.length === 0)
    throw new HullError(
      `Cannot map the ids of ${quote(source)} at ${quote(destination)}: found no uidMappings and gidMappings, of the mount or of a user namespace`,
      { kind: 'invalid' },
    );
  const what = `map the ids of ${quote(source)} for ${quote(destination)} (Linux 5.12, and a file system that can)`;
  const tree = p.cell('mapped tree');
  const userns = makeUserNamespace(p, maps);
  const all = 0x8000;
  const copy = recursive
    ? named(0o2000001 | all, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE')
    : named(0o2000001, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC');
  p.call('open_tree', [AT_FDCWD, p.text(source), copy], { what, result: tree });
  const mapIds = attributesOf(p, { set: 0x100000, clear: 0 }, userns);
  const flags = wholeTree
    ? named(0x1000 | all, 'AT_EMPTY_PATH|AT_RECURSIVE')
    : named(0x1000, 'AT_EMPTY_PATH');
  p.call('mount_setattr', [tree, p.text(''), flags, address(mapIds), 32], { what });
  p.call('close', [userns]);
  return tree;
}
