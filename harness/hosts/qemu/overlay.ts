import { dirname, relative } from 'node:path';
import { execa } from 'execa';

/** A qcow2 that holds only what differs from `base`; it names the base from its own folder, so that a cache may be moved or copied. */
export async function createOverlay(base: string, format: 'raw' | 'qcow2', path: string): Promise<void> {
  const backing = relative(dirname(path), base);
  await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', backing, '-F', format, path]);
}

/** An empty qcow2. */
export async function createEmptyDisk(path: string, sizeBytes: number): Promise<void> {
  await execa('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(sizeBytes)]);
}
