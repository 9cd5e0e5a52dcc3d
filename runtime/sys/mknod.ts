import { bindLibc, check } from './libc.ts';

// Before glibc 2.33 mknod is no function of the library; the numbers are from <asm/unistd.h>.
const mknodatNumber = process.arch === 'arm64' ? 33 : 259;
const currentFolder = -100;
const mknodat = bindLibc<[number, number, string | Uint8Array, number, number]>(
  'long syscall(long, int, const char *, unsigned int, unsigned int)',
);

const formats = { fifo: 0o010000, character: 0o020000, block: 0o060000, socket: 0o140000 } as const;

/** Makes a special file with `mode`, less the process's umask; a path that is not UTF-8 comes as bytes. mknod(2) */
export function mknod(
  path: string | Uint8Array,
  type: keyof typeof formats,
  mode: number,
  device: { readonly major: number; readonly minor: number } = { major: 0, minor: 0 },
): void {
  // The kernel takes 32 bits: 12 of the major, 20 of the minor number.
  const number = (device.major << 8) | (device.minor & 0xff) | ((device.minor & ~0xff) << 12);
  const shown = typeof path === 'string' ? path : Buffer.from(path).toString('utf8');
  const terminated = typeof path === 'string' ? path : Buffer.concat([path, Buffer.of(0)]);
  check(mknodat(mknodatNumber, currentFolder, terminated, formats[type] | mode, number >>> 0), {
    syscall: 'mknodat',
    path: shown,
    op: `make ${type} ${JSON.stringify(shown)}`,
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
