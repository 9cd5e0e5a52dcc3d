import { readdirSync } from 'node:fs';
import { attempt, readText } from '../../kernel/process-files.ts';

/**
 * Whether the kernel has the dataset as a mounted file system, be it one that no mount table shows any more: its own statistics name
 * each, from the mount to the end of writing everything down. As long as they do, `zfs destroy` answers that it is busy.
 */
export function isMountedInKernel(dataset: string): boolean {
  const folder = `/proc/spl/kstat/zfs/${dataset.split('/')[0]}`;
  const names = attempt(() => readdirSync(folder)) ?? [];
  return names.some(
    (name) => name.startsWith('objset-') && datasetOf(readText(`${folder}/${name}`)) === dataset,
  );
}

/** The dataset that a file `objset-0x…` tells about. */
export function datasetOf(text: string): string | undefined {
  return /^dataset_name +7 +(.+)$/m.exec(text)?.[1];
}
