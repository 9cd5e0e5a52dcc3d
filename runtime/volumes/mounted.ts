import { escapeMountPath, isWithin, readMountInfo } from '../kernel/mountinfo.ts';

/** Whether something is mounted over a volume's folder. */
export function isMounted(path: string): boolean {
  return readMountInfo('self', escapeMountPath(path)).some(({ mountPoint }) => mountPoint === path);
}

/** All mount points below a folder. */
export function mountedBelow(folder: string): readonly string[] {
  const found = readMountInfo('self', escapeMountPath(folder)).map(({ mountPoint }) => mountPoint);
  return [...new Set(found.filter((path) => path !== folder && isWithin(path, folder)))];
}
