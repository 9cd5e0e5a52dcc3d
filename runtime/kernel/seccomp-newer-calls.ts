/** AUDIT_ARCH_* of linux/audit.h, for libseccomp's names; x32 has that of x86_64 and a bit in its call numbers. */
const auditArchitectures: Readonly<Record<string, number>> = {
  x86_64: 0xc000003e,
  x32: 0xc000003e,
  x86: 0x40000003,
  aarch64: 0xc00000b7,
  arm: 0x40000028,
  riscv64: 0xc00000f3,
  ppc64le: 0xc0000015,
  s390x: 0x80000016,
  s390: 0x16,
};

const x32Bit = 0x40000000;
const loadWord = 0x20;
const jumpEqual = 0x15;
const jumpGreater = 0x25;
const jumpGreaterEqual = 0x35;
const jumpAlways = 0x05;
const answer = 0x06;
const offsetOfNumber = 0;
const offsetOfArchitecture = 4;
const errnoEnosys = 0x00050000 | 38;

/**
 * Puts in front of a filter that calls which came after the policy was written (their number is above all that it names)
 * answer ENOSYS instead of what the policy has for the unknown: a C library that tries a new call goes on
 * with the old one then, and takes EPERM for the file's. runc does the same.
 */
export function answerNewerCalls(filter: Buffer, highest: ReadonlyMap<string, number>): Buffer {
  const blocks = new Map<number, number[][]>();
  for (const [arch, most] of highest) {
    const token = auditArchitectures[arch];
    if (token === undefined || most === 0 || arch === 'x32') continue;
    const x32 = arch === 'x86_64' ? highest.get('x32') : undefined;
    blocks.set(token, arch === 'x86_64' ? boundsOfX64(most, x32) : boundsOf(most));
  }
  const code: number[][] = [[loadWord, 0, 0, offsetOfArchitecture]];
  const rest = [...blocks].map(([token, block]) => [
    [jumpEqual, 0, block.length + 1, token],
    ...block,
    // Within the limits: over the blocks of the other architectures, to the filter.
    [jumpAlways, 0, 0, -1],
  ]);
  const lines = [...code, ...rest.flat()];
  for (const [position, line] of lines.entries())
    if (line[0] === jumpAlways && line[3] === -1) line[3] = lines.length - position - 1;
  return Buffer.concat([...lines.map(encode), filter]);
}

function boundsOf(most: number): number[][] {
  return [
    [loadWord, 0, 0, offsetOfNumber],
    [jumpGreater, 0, 1, most],
    [answer, 0, 0, errnoEnosys],
  ];
}

/** Numbers with x32's bit have a limit of their own; without x32 in the policy they are left to the filter. */
function boundsOfX64(most: number, x32: number | undefined): number[][] {
  const limit = x32 === undefined || x32 === 0 ? 0xffffffff : x32Bit + x32;
  return [
    [loadWord, 0, 0, offsetOfNumber],
    [jumpGreaterEqual, 0, 1, x32Bit],
    [jumpGreater, 1, 2, limit],
    [jumpGreater, 0, 1, most],
    [answer, 0, 0, errnoEnosys],
  ];
}

/** `struct sock_filter`: code, jump if true, jump if false, constant. */
function encode([code = 0, whenTrue = 0, whenFalse = 0, constant = 0]: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(whenTrue, 2);
  bytes.writeUInt8(whenFalse, 3);
  bytes.writeUInt32LE(constant >>> 0, 4);
  return bytes;
}
