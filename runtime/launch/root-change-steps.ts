import { HullError } from '../base/errors.ts';
import { MS } from '../kernel/mount-options.ts';
import type { CgroupFolder } from './cgroup-mount-steps.ts';
import { named } from './constants.ts';
import { openPath } from './host-handles.ts';
import {
  type MountedRoot,
  mountAt,
  mountFlags,
  quote,
  setPropagation,
  stagedRoot,
  stageRoot,
  stagingRoot,
} from './mount-steps.ts';
import type { ProgramBuilder } from './program-builder.ts';
import type { LaunchRequest } from './types.ts';

export type RootRequest = Pick<LaunchRequest, 'spec' | 'cgroup' | 'noPivot'> & {
  readonly rootMounts: LaunchRequest['rootMounts'] | MountedRoot;
  /** What a mount of type cgroup shows, where it is not the container's own group. */
  readonly shownCgroups?: readonly CgroupFolder[];
  /** We are not in the machine's first user namespace: no device can be made. */
  readonly inUserNamespace?: boolean;
};

/** How a process gets from the host's tree into the container's root. The root is mounted when there is one. */
export interface RootChange {
  /** From the host's tree: paths are the container's. */
  confine(): void;
  /** From the confinement to the host's tree as `/`, the root at its own place in it as the working folder, and out of it again. */
  visitHost(there: () => void): void;
  /** From the confinement: the root is `/`, nothing of the host is in sight. */
  enter(): void;
}

export function changeRoot(p: ProgramBuilder, request: RootRequest, ownMounts: boolean): RootChange {
  if (!ownMounts) return changeByChroot(p, placeOf(request));
  stageRoot(p, request.rootMounts);
  return request.noPivot ? changeByMove(p, request) : changeByPivot(p, request);
}

/** Where the host has the root, of a root that is a folder. */
function placeOf({ rootMounts }: RootRequest): string {
  const [mount, ...others] = 'mountedAt' in rootMounts ? [] : rootMounts;
  if (mount?.type === 'bind' && others.length === 0) return mount.source;
  throw new HullError(
    `Cannot use the root at its place on the host: found mounts of ${others.length + (mount ? 1 : 0)} file systems, wanted a folder`,
    { kind: 'unsupported' },
  );
}

function changeByPivot(p: ProgramBuilder, request: RootRequest): RootChange {
  const staging = openPath(p, 'staging', stagingRoot, `open ${quote(stagingRoot)}`);
  const stage = () =>
    p.call('pivot_root', [p.text(stagingRoot), p.text(`${stagingRoot}/old`)], {
      what: 'make the staging root "/"',
    });
  const leave = () => {
    p.call('fchdir', [staging], { what: 'go back to the staging root' });
    p.call('chroot', [p.text('.')], { what: 'leave the confinement' });
  };
  return {
    confine() {
      stage();
      confineTo(p, '/root');
    },
    visitHost(there) {
      const place = placeOf(request);
      leave();
      p.call('pivot_root', [p.text('/old'), p.text(`/old${stagingRoot}`)], {
        what: 'make the root of the host "/"',
      });
      visitPlace(p, place, there);
    },
    enter() {
      leave();
      p.call('chdir', [p.text('/root')], { what: 'enter the root' });
      p.call('pivot_root', [p.text('.'), p.text('.')], { what: 'make the root "/"' });
      p.call('umount2', [p.text('.'), named(2, 'MNT_DETACH')], { what: "let go of the host's tree" });
    },
  };
}

/** Over the host's root, which stays below and out of reach: on an initramfs, which cannot be put away. */
function changeByMove(p: ProgramBuilder, request: RootRequest): RootChange {
  const hostRoot = openPath(p, 'host root', '/', 'open "/"');
  const leave = () => {
    p.call('fchdir', [hostRoot], { what: "go back to the host's root" });
    p.call('chroot', [p.text('.')], { what: 'leave the confinement' });
  };
  return {
    confine: () => confineTo(p, stagedRoot),
    visitHost(there) {
      const place = placeOf(request);
      leave();
      visitPlace(p, place, there);
    },
    enter() {
      leave();
      // A /proc of the host that nothing covers would let a user namespace inside mount one of its own. They may be stacked.
      const again = p.label("another of the host's /proc");
      const gone = p.label('no /proc of the host');
      p.place(again);
      p.call('umount2', [p.text('/proc'), named(2, 'MNT_DETACH')], {
        what: "let go of the host's /proc",
        errors: { EINVAL: gone },
        zero: again,
      });
      p.place(gone);
      p.call('chdir', [p.text(stagedRoot)], { what: 'enter the root' });
      p.call('mount', [p.text('.'), p.text('/'), 0, mountFlags(MS.MOVE), 0], {
        what: 'move the root to "/"',
      });
      p.call('chroot', [p.text('.')], { what: 'make the root "/"' });
    },
  };
}

/** In a mount namespace of others nobody's root may be exchanged: the root is bound to itself, and what is mounted is mounted there. */
function changeByChroot(p: ProgramBuilder, place: string): RootChange {
  const hostRoot = openPath(p, 'host root', '/', 'open "/"');
  mountAt(p, { type: 'bind', source: p.text(place), sourceText: place, words: ['rbind'], target: place });
  setPropagation(p, place, MS.PRIVATE | MS.REC, quote(place));
  return {
    confine: () => confineTo(p, place),
    visitHost(there) {
      p.call('fchdir', [hostRoot], { what: "go back to the host's root" });
      p.call('chroot', [p.text('.')], { what: 'leave the confinement' });
      p.call('chdir', [p.text(place)], { what: `enter ${quote(place)}` });
      there();
    },
    enter() {},
  };
}

function confineTo(p: ProgramBuilder, path: string): void {
  p.call('chroot', [p.text(path)], { what: 'confine paths to the root' });
}

/** The root is moved to its place, with all its mounts, and back with all that was mounted in it meanwhile. */
function visitPlace(p: ProgramBuilder, place: string, there: () => void): void {
  const move = (from: string, to: string, what: string) =>
    p.call('mount', [p.text(from), p.text(to), 0, mountFlags(MS.MOVE), 0], { what });
  move(stagedRoot, place, 'show the root at its place');
  p.call('chdir', [p.text(place)], { what: `enter ${quote(place)}` });
  there();
  p.call('chdir', [p.text('/')], { what: 'enter "/"' });
  move(place, stagedRoot, 'take the root from its place');
}
