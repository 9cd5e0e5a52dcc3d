import { HullError } from '../../base/errors.ts';
import { coveringMount, type MountInfo, readMountInfo } from '../../kernel/mountinfo.ts';

/**
 * Whether the mount that a source is on lets other namespaces take part as the propagation wants: shared for `shared`, shared or slave
 * for `slave`. Kind `invalid` with Docker's words.
 */
export function checkPropagation(
  source: string,
  propagation: string,
  read: () => readonly MountInfo[] = () => readMountInfo('self'),
): void {
  const wanted = needs[propagation];
  if (!wanted) return;
  const mount = coveringMount(read(), source);
  if (mount?.propagation.some((word) => wanted.marks.some((mark) => word.startsWith(mark)))) return;
  throw new HullError(
    `path ${source} is mounted on ${mount?.mountPoint ?? '/'} but it is not a ${wanted.text} mount`,
    { kind: 'invalid', hint: `Propagation ${propagation} was asked for; mount --make-rshared makes one.` },
  );
}

const shared = { marks: ['shared:'], text: 'shared' };
const sharedOrSlave = { marks: ['shared:', 'master:'], text: 'shared or slave' };
const needs: Readonly<Record<string, { readonly marks: readonly string[]; readonly text: string }>> = {
  shared,
  rshared: shared,
  slave: sharedOrSlave,
  rslave: sharedOrSlave,
};
