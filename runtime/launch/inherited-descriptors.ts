import { readlinkSync } from 'node:fs';

export const standardStreams: ReadonlyMap<number, number> = new Map([0, 1, 2].map((fd) => [fd, fd]));

/**
 * Which of the descriptors below `end` are the caller's, to be handed on under their own numbers: the streams, and from 3 on what is open and
 * not Node's own (its event loop's, and pipes that have both ends here).
 */
export function inheritedDescriptors(end: number): ReadonlyMap<number, number> {
  const targets = new Map<number, string>();
  for (let fd = 3; fd < 1024; fd += 1) {
    const target = targetOf(fd);
    if (target !== undefined) targets.set(fd, target);
  }
  const kept = [0, 1, 2, ...[...targets.keys()].filter((fd) => fd < end && isForeign(fd))];
  return new Map(kept.map((fd) => [fd, fd]));

  function isForeign(fd: number): boolean {
    const target = targets.get(fd) ?? '';
    if (target.startsWith('anon_inode:')) return false;
    return (
      !target.startsWith('pipe:') || [...targets.values()].filter((each) => each === target).length === 1
    );
  }
}

function targetOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}
