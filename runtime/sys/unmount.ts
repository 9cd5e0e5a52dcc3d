import { bindLibc, check } from './libc.ts';

const umount2 = bindLibc<[string, number]>('int umount2(const char *, int)');
const detach = 2;

/** Takes the topmost mount at a path away, with all that is mounted in it, also where it is in use. umount2(2), MNT_DETACH */
export function detachMount(path: string): void {
  check(umount2(path, detach), { syscall: 'umount2', path });
}
