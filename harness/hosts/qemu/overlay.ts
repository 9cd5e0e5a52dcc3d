import { execa } from 'execa';

/** A qcow2 that holds only what differs from `base`. */
export async function createOverlay(base: string, format: 'raw' | 'qcow2', path: string): Promise<void> {
  await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', format, path]);
}

/** An empty qcow2. */
export async function createEmptyDisk(path: string, sizeBytes: number): Promise<void> {
  await execa('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(sizeBytes)]);
}
