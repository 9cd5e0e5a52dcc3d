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
 */
export interface Interpreter {
  /** ELF e_machine. */
  readonly machine: number;
  /** Address of the first entry → machine code, of the same length for every address. */
  readonly code: (first: number) => Uint8Array;
}

/** Assembly (GNU as, Intel syntax) beside its bytes; interpreter.test.ts assembles the one and compares it with the other. */
export const x64Listing: readonly (readonly [assembly: string, bytes: string])[] = [
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

export const entrySize = 72;

const interpreters: Readonly<Record<string, Interpreter>> = {
  x64: {
    machine: 62,
    code(first) {
      const code = Buffer.from(x64Listing.map(([, bytes]) => bytes.replaceAll(' ', '')).join(''), 'hex');
      code.writeUInt32LE(first, 1);
      return code;
    },
  },
};

export function interpreterFor(arch: string): Interpreter {
  const found = interpreters[arch];
  if (found) return found;
  throw new HullError(
    `Cannot launch on ${arch}: found no interpreter for it, wanted one of ${Object.keys(interpreters).join(', ')}`,
    { kind: 'unsupported' },
  );
}
