import { HullError } from '../base/errors.ts';

/**
 * # The interpreter
 *
 * The whole machine code of a launch program. It walks a table of entries, from `first` on:
 *
 * | offset | size | is |
 * |---|---|---|
 * | 0 | 8 | call number; negative: the local operation instead of a system call |
 * | 8 | 6 × 8 | arguments |
 * | 56 | 4 | address that the 8-byte result is stored at (it may be an argument of a later entry) |
 * | 60 | 4 | address of the next entry where the result is negative |
 * | 64 | 4 | … zero |
 * | 68 | 4 | … positive |
 *
 * The local operation is load, mask, subtract: `result = (*a0 & a2) - a1`. It copies (mask -1, subtract 0), makes
 * constants (mask 0), compares and adds. All addresses are below 4 GiB.
 *
 * Before the first entry the stack pointer is stored: there the kernel has put the arguments and the environment.
 */
export interface Interpreter {
  /** ELF e_machine. */
  readonly machine: number;
  /** Address of the first entry, and of the eight bytes for the stack pointer → machine code, of the same length for all addresses. */
  readonly code: (first: number, stack: number) => Uint8Array;
}

/** Assembly (GNU as, Intel syntax) beside its bytes; interpreter.test.ts assembles the one and compares it with the other. */
export const x64Listing: readonly (readonly [assembly: string, bytes: string])[] = [
  ['mov [stack], rsp', '48 89 24 25 00 00 00 00'],
  ['mov ebx, offset first', 'bb 00 00 00 00'],
  ['step: mov rax, [rbx]', '48 8b 03'],
  ['mov rdi, [rbx + 8]', '48 8b 7b 08'],
  ['mov rsi, [rbx + 16]', '48 8b 73 10'],
  ['mov rdx, [rbx + 24]', '48 8b 53 18'],
  ['mov r10, [rbx + 32]', '4c 8b 53 20'],
  ['mov r8, [rbx + 40]', '4c 8b 43 28'],
  ['mov r9, [rbx + 48]', '4c 8b 4b 30'],
  ['test rax, rax', '48 85 c0'],
  ['js local', '78 1c'],
  ['syscall', '0f 05'],
  ['store: mov ecx, [rbx + 56]', '8b 4b 38'],
  ['mov [rcx], rax', '48 89 01'],
  ['mov ecx, [rbx + 60]', '8b 4b 3c'],
  ['test rax, rax', '48 85 c0'],
  ['js go', '78 08'],
  ['mov ecx, [rbx + 64]', '8b 4b 40'],
  ['jz go', '74 03'],
  ['mov ecx, [rbx + 68]', '8b 4b 44'],
  ['go: mov ebx, ecx', '89 cb'],
  ['jmp step', 'eb c4'],
  ['local: mov rax, [rdi]', '48 8b 07'],
  ['and rax, rdx', '48 21 d0'],
  ['sub rax, rsi', '48 29 f0'],
  ['jmp store', 'eb db'],
];

/** The same for arm64: instructions of four bytes; an address takes two of them. */
export const arm64Listing: readonly (readonly [assembly: string, bytes: string])[] = [
  ['movz x10, #(stack & 0xffff)', '0a 00 80 d2'],
  ['movk x10, #(stack >> 16), lsl #16', '0a 00 a0 f2'],
  ['mov x9, sp', 'e9 03 00 91'],
  ['str x9, [x10]', '49 01 00 f9'],
  ['movz x19, #(first & 0xffff)', '13 00 80 d2'],
  ['movk x19, #(first >> 16), lsl #16', '13 00 a0 f2'],
  ['step: ldp x8, x0, [x19]', '68 02 40 a9'],
  ['ldp x1, x2, [x19, #16]', '61 0a 41 a9'],
  ['ldp x3, x4, [x19, #32]', '63 12 42 a9'],
  ['ldr x5, [x19, #48]', '65 1a 40 f9'],
  ['tbnz x8, #63, local', '68 01 f8 b7'],
  ['svc #0', '01 00 00 d4'],
  ['store: ldr w9, [x19, #56]', '69 3a 40 b9'],
  ['str x0, [x9]', '20 01 00 f9'],
  ['ldr w9, [x19, #60]', '69 3e 40 b9'],
  ['tbnz x0, #63, go', '80 00 f8 b7'],
  ['ldr w9, [x19, #64]', '69 42 40 b9'],
  ['cbz x0, go', '40 00 00 b4'],
  ['ldr w9, [x19, #68]', '69 46 40 b9'],
  ['go: mov x19, x9', 'f3 03 09 aa'],
  ['b step', 'f2 ff ff 17'],
  ['local: ldr x0, [x0]', '00 00 40 f9'],
  ['and x0, x0, x2', '00 00 02 8a'],
  ['sub x0, x0, x1', '00 00 01 cb'],
  ['b store', 'f4 ff ff 17'],
];

export const entrySize = 72;

const interpreters: Readonly<Record<string, Interpreter>> = {
  x64: {
    machine: 62,
    code(first, stack) {
      const code = bytesOf(x64Listing);
      code.writeUInt32LE(stack, 4);
      code.writeUInt32LE(first, 9);
      return code;
    },
  },
  arm64: {
    machine: 183,
    code(first, stack) {
      const code = bytesOf(arm64Listing);
      // movz and movk have their 16 bits from bit 5 on.
      const put = (offset: number, bits: number) =>
        code.writeUInt32LE((code.readUInt32LE(offset) | (bits << 5)) >>> 0, offset);
      put(0, stack & 0xffff);
      put(4, stack >>> 16);
      put(16, first & 0xffff);
      put(20, first >>> 16);
      return code;
    },
  },
};

const assembled = new Map<typeof x64Listing, Buffer>();

/** A copy of its own: addresses are put into it. */
function bytesOf(listing: typeof x64Listing): Buffer {
  const found = assembled.get(listing);
  if (found) return Buffer.from(found);
  const made = Buffer.from(listing.map(([, bytes]) => bytes.replaceAll(' ', '')).join(''), 'hex');
  assembled.set(listing, made);
  return Buffer.from(made);
}

export function interpreterFor(arch: string): Interpreter {
  const found = interpreters[arch];
  if (found) return found;
  throw new HullError(
    `Cannot launch on ${arch}: found no interpreter for it, wanted one of ${Object.keys(interpreters).join(', ')}`,
    { kind: 'unsupported' },
  );
}
