import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** A kernel that hosts.yaml gives instead of the distribution's own. Read once: what is booted is what the key says. */
export interface OwnKernel {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** Its name beside the template's memory: what boots later, after a power cut, is what the template was made with. */
export const ownKernelFile = 'vmlinuz';

/** Reads and checks it. Throws with the host and what the file is instead, where it is no bzImage. */
export async function readOwnKernel(host: string, path: string): Promise<OwnKernel> {
  const refuse = (found: string, cause?: unknown) =>
    new Error(`Cannot boot ${host}: kernel ${JSON.stringify(path)}: found ${found}, wanted a bzImage`, {
      cause,
    });
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw refuse(cause.code === 'ENOENT' ? 'nothing' : cause.message, cause);
  });
  if (bytes.toString('latin1', 0, 4) === '\x7fELF') {
    throw refuse('an ELF file (vmlinux?), and its bzImage is in arch/x86/boot');
  }
  // The magic number of the x86 boot protocol's header. https://www.kernel.org/doc/html/latest/arch/x86/boot.html
  if (bytes.toString('latin1', 0x202, 0x206) !== 'HdrS') throw refuse('no Linux boot header at byte 0x202');
  return { bytes, hash: createHash('sha256').update(bytes).digest('hex') };
}
