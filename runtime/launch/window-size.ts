import type { Process } from '../base/oci.ts';

export type WindowSize = NonNullable<Process['consoleSize']>;

export const windowSizeBytes = 8;

/** struct winsize of ioctl_tty(2): rows, columns, and two that nobody uses. */
export function windowSize({ height, width }: WindowSize): Buffer {
  const bytes = Buffer.alloc(windowSizeBytes);
  bytes.writeUInt16LE(height, 0);
  bytes.writeUInt16LE(width, 2);
  return bytes;
}
