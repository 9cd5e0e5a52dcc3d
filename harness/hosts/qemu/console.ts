import { open } from 'node:fs/promises';
import { ifMissing } from './files.ts';

/** The last bytes of a serial console's file; empty where there is none yet. */
export async function readConsole(path: string, maxBytes = 16 * 1024): Promise<string> {
  const file = await ifMissing(open(path, 'r'), undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - maxBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.subarray(0, bytesRead).toString('utf8').replaceAll('\r', '');
  } finally {
    await file.close();
  }
}

/** The line that says the kernel died (an oops panics too, see the kernel's arguments), or undefined. */
export function findPanic(text: string): string | undefined {
  return /^.*Kernel panic - not syncing.*$/m
    .exec(text)?.[0]
    ?.replace(/^\[[ \d.]+\] /, '')
    .trim();
}
