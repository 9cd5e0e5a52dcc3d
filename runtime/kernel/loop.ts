import { type FileHandle, open, readdir, readFile, realpath } from 'node:fs/promises';
import { codeOf, HullError, ifExists } from '../base/errors.ts';
import { ioctl } from '../sys/ioctl.ts';
import { splitDevice } from '../sys/mknod.ts';

// <linux/loop.h>
const LOOP_SET_FD = 0x4c00;
const LOOP_CLR_FD = 0x4c01;
const LOOP_SET_STATUS64 = 0x4c04;
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CTL_GET_FREE = 0x4c82;
const LO_FLAGS_AUTOCLEAR = 4;
/** `struct loop_info64`. */
const infoSize = 232;
const infoFlagsOffset = 52;
const infoNameOffset = 56;
const infoNameSize = 64;
/** `struct loop_config`: fd, block size, info, eight reserved words. */
const configSize = 8 + infoSize + 64;
const configInfoOffset = 8;

export interface LoopDevice {
  /** `/dev/loop3`. */
  readonly path: string;
  readonly major: number;
  readonly minor: number;
}

/**
 * A loop device on `file`, open; it detaches by itself when the last opener is gone (autoclear), so the caller closes
 * the handle only after something else (a device-mapper table, a mount) has opened the device. loop(4)
 */
export async function attachLoop(file: string): Promise<LoopDevice & { readonly handle: FileHandle }> {
  const backing = await open(file, 'r+');
  try {
    const control = await openControl();
    try {
      // Somebody else may take the free device between the two calls.
      for (let attempt = 0; attempt < 64; attempt++) {
        const number = ioctl(control.fd, LOOP_CTL_GET_FREE, 0n, { op: 'find a free loop device' });
        const path = `/dev/loop${number}`;
        const handle = await open(path, 'r+');
        try {
          configure(handle.fd, backing.fd, file);
          const { major, minor } = splitDevice((await handle.stat()).rdev);
          return { path, major, minor, handle };
        } catch (error) {
          await handle.close();
          if (codeOf(error) !== 'EBUSY') throw error;
        }
      }
    } finally {
      await control.close();
    }
  } finally {
    await backing.close();
  }
  throw new HullError(`Cannot attach ${JSON.stringify(file)}: others took every free loop device, 64 times`, {
    kind: 'exhausted',
  });
}

/** Loop devices on that file; empty where there are none. */
export async function findLoops(file: string): Promise<readonly LoopDevice[]> {
  const wanted = (await ifExists(realpath(file))) ?? file;
  const names = (await ifExists(readdir('/sys/block'))) ?? [];
  const found = await Promise.all(
    names
      .filter((name) => name.startsWith('loop'))
      .map(async (name): Promise<LoopDevice[]> => {
        const backing = await readIfThere(`/sys/block/${name}/loop/backing_file`);
        if (backing?.replace(/\n$/, '') !== wanted) return [];
        const [major, minor] = ((await readIfThere(`/sys/block/${name}/dev`)) ?? '').split(':').map(Number);
        return major === undefined || minor === undefined ? [] : [{ path: `/dev/${name}`, major, minor }];
      }),
  );
  return found.flat();
}

/** Afterwards it is detached, or will be when its last user closes it. */
export async function detachLoop({ path }: Pick<LoopDevice, 'path'>): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    ioctl(handle.fd, LOOP_CLR_FD, 0n, { op: `detach ${path}`, path });
  } catch (error) {
    if (codeOf(error) !== 'ENXIO') throw error;
  } finally {
    await handle.close();
  }
}

async function openControl(): Promise<FileHandle> {
  try {
    return await open('/dev/loop-control', 'r+');
  } catch (cause) {
    throw new HullError(`Cannot make a loop device: /dev/loop-control is ${codeOf(cause) ?? 'not usable'}`, {
      kind: 'unsupported',
      hint: 'Load the kernel module "loop" (modprobe loop).',
      cause,
    });
  }
}

function configure(device: number, backing: number, file: string): void {
  const op = { op: `attach ${JSON.stringify(file)} to a loop device`, path: file };
  const config = Buffer.alloc(configSize);
  const info = config.subarray(configInfoOffset, configInfoOffset + infoSize);
  config.writeUInt32LE(backing, 0);
  info.writeUInt32LE(LO_FLAGS_AUTOCLEAR, infoFlagsOffset);
  // The kernel keeps a NUL-terminated name for `losetup`; a longer path is cut there, and sysfs has it whole.
  info.write(file, infoNameOffset, infoNameSize - 1);
  try {
    ioctl(device, LOOP_CONFIGURE, config, op);
  } catch (error) {
    // Kernels before 5.8 do it in two calls.
    if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTTY') throw error;
    ioctl(device, LOOP_SET_FD, BigInt(backing), op);
    ioctl(device, LOOP_SET_STATUS64, info, op);
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    // A device that is being detached has no such file, or answers ENXIO.
    return undefined;
  }
}
