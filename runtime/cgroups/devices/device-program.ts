import type { DeviceRule } from '../../base/oci.ts';
import { type PlainRule, plainRules } from './device-list.ts';

/** One instruction of struct bpf_insn (linux/bpf.h), its operation by name. */
export interface Instruction {
  readonly op: Operation;
  readonly dst?: number;
  readonly src?: number;
  /** Bytes in the context, or how many instructions a jump skips. */
  readonly offset?: number;
  readonly imm?: number;
}

type Operation = keyof typeof opcodes;

/** class | source or size | operation; 64-bit arithmetic and jumps, which every kernel with cgroup BPF has. */
const opcodes = {
  /** dst = *(u32 *)(src + offset) */
  load: 0x61,
  copy: 0xbf,
  set: 0xb7,
  and: 0x57,
  shiftRight: 0x77,
  /** if dst != imm */
  jumpIfNot: 0x55,
  /** if dst == imm */
  jumpIf: 0x15,
  exit: 0x95,
} as const;

// Registers: r0 answer, r1 context. r2 type, r3 access still to be allowed, r4 major, r5 minor, r6 scratch.
const types = { b: 1, c: 2 } as const; // BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR
const accessBits: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 }; // BPF_DEVCG_ACC_*

/**
 * The program that a v2 group asks about each opening and making of a device node (BPF_PROG_TYPE_CGROUP_DEVICE): 1
 * allows, 0 is EPERM. Rules are tried from the last to the first; each takes away the access it decides about. Pure.
 */
export function deviceProgram(wanted: readonly DeviceRule[]): readonly Instruction[] {
  const { otherwise, rules } = plainRules(wanted);
  if (rules.length === 0) return answer(otherwise === 'allow' ? 1 : 0);
  return [
    // struct bpf_cgroup_dev_ctx: access_type (access << 16 | type), major, minor
    { op: 'load', dst: 2, src: 1, offset: 0 },
    { op: 'copy', dst: 3, src: 2 },
    { op: 'and', dst: 2, imm: 0xffff },
    { op: 'shiftRight', dst: 3, imm: 16 },
    { op: 'load', dst: 4, src: 1, offset: 4 },
    { op: 'load', dst: 5, src: 1, offset: 8 },
    ...rules.toReversed().flatMap(decide),
    ...answer(otherwise === 'allow' ? 1 : 0),
  ];
}

function decide({ allow, type, major, minor, access }: PlainRule): readonly Instruction[] {
  const mask = [...access].reduce((sum, one) => sum | (accessBits[one] ?? 0), 0);
  const body: readonly Instruction[] = allow
    ? // What is allowed is done with; when nothing is left, the answer is yes.
      [{ op: 'and', dst: 3, imm: ~mask & 7 }, { op: 'jumpIfNot', dst: 3, imm: 0, offset: 2 }, ...answer(1)]
    : [
        { op: 'copy', dst: 6, src: 3 },
        { op: 'and', dst: 6, imm: mask },
        { op: 'jumpIf', dst: 6, imm: 0, offset: 2 },
        ...answer(0),
      ];
  const tests: readonly (readonly [register: number, value: number])[] = [
    [2, types[type]],
    ...(major === undefined ? [] : [[4, major] as const]),
    ...(minor === undefined ? [] : [[5, minor] as const]),
  ];
  const checks = tests.map(
    ([dst, imm], index): Instruction => ({
      op: 'jumpIfNot',
      dst,
      imm,
      offset: tests.length - index - 1 + body.length,
    }),
  );
  return [...checks, ...body];
}

const answer = (value: 0 | 1): readonly Instruction[] => [{ op: 'set', dst: 0, imm: value }, { op: 'exit' }];

/** struct bpf_insn: code, dst and src as two halves of a byte, offset, immediate; 8 bytes each. */
export function encodeProgram(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, { op, dst = 0, src = 0, offset = 0, imm = 0 }] of program.entries()) {
    bytes.writeUInt8(opcodes[op], index * 8);
    bytes.writeUInt8(dst | (src << 4), index * 8 + 1);
    bytes.writeInt16LE(offset, index * 8 + 2);
    bytes.writeInt32LE(imm, index * 8 + 4);
  }
  return bytes;
}

/** As text, one line an instruction: for people and for tests. */
export function programText(program: readonly Instruction[]): string {
  return program.map(lineOf).join('\n');
}

function lineOf({ op, dst = 0, src = 0, offset = 0, imm = 0 }: Instruction, line: number): string {
  const to = `goto ${line + 1 + offset}`;
  switch (op) {
    case 'load':
      return `${line}: r${dst} = *(u32 *)(r${src} + ${offset})`;
    case 'copy':
      return `${line}: r${dst} = r${src}`;
    case 'set':
      return `${line}: r${dst} = ${imm}`;
    case 'and':
      return `${line}: r${dst} &= ${imm}`;
    case 'shiftRight':
      return `${line}: r${dst} >>= ${imm}`;
    case 'jumpIfNot':
      return `${line}: if r${dst} != ${imm} ${to}`;
    case 'jumpIf':
      return `${line}: if r${dst} == ${imm} ${to}`;
    case 'exit':
      return `${line}: exit`;
    default:
      return op satisfies never;
  }
}
