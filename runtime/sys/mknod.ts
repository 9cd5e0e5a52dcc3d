import { bindLibc, check } from './libc.ts';

const mknodCall = bindLibc<[string, number, bigint]>('int mknod(const char *, unsigned int, unsigned long)');

const formats = { fifo: 0o010000, character: 0o020000, block: 0o060000, socket: 0o140000 } as const;

/** Makes a special file with exactly `mode`, less the process's umask. mknod(2) */
export function mknod(
  path: string,
  type: keyof typeof formats,
  mode: number,
  device: { readonly major: number; readonly minor: number } = { major: 0, minor: 0 },
): void {
  check(mknodCall(path, formats[type] | mode, makeDevice(device.major, device.minor)), {
    syscall: 'mknod',
    path,
    op: `make ${type} ${JSON.stringify(path)}`,
  });
}

/** glibc's 64-bit `dev_t`: the number of `stat().rdev`. makedev(3) */
export function makeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
  );
}

/** The two halves of a `dev_t` as Node's `stat` gives it. major(3) */
export function splitDevice(device: number | bigint): { readonly major: number; readonly minor: number } {
  const value = BigInt(device);
  return {
    major: Number(((value >> 32n) & 0xfffff000n) | ((value >> 8n) & 0xfffn)),
    minor: Number(((value >> 12n) & 0xffffff00n) | (value & 0xffn)),
  };
}
