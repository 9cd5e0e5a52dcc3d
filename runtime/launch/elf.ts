import type { Interpreter } from './interpreter.ts';

export interface DataSegment {
  /** What the file holds of it; it begins with the entry table. */
  readonly data: Buffer;
  /** With the zeroed memory behind it. */
  readonly memorySize: number;
  /** Where the interpreter stores the stack pointer it is started with. */
  readonly stack: number;
}

const headerSize = 64;
const programHeaderSize = 56;
const codeBase = 0x400000;
const dataBase = 0x800000;
/** arm64 kernels may have pages of 64 kB. */
const alignment = 0x10000;
/** Where the file has what stands at an address of the data. */
export const dataFileOffset = (address: number): number => address - dataBase;

const readable = 4;
const writable = 2;
const executable = 1;

/**
 * A static 64-bit ELF file (elf(5)): the interpreter in one segment, entries and data in another, and a
 * PT_GNU_STACK header, without which the kernel makes the stack executable.
 */
export function writeElf(interpreter: Interpreter, fill: (base: number) => DataSegment): Buffer {
  const codeOffset = headerSize + 3 * programHeaderSize;
  const dataOffset = Math.ceil((codeOffset + interpreter.code(0, 0).length) / 16) * 16;
  // A segment's address and file offset are equal modulo the alignment.
  const base = dataBase + dataOffset;
  const { data, memorySize, stack } = fill(base);
  const code = interpreter.code(base, stack);

  const file = Buffer.alloc(dataOffset + data.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(interpreter.machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(codeBase + codeOffset), 24);
  file.writeBigUInt64LE(BigInt(headerSize), 32);
  file.writeUInt16LE(headerSize, 52);
  file.writeUInt16LE(programHeaderSize, 54);
  file.writeUInt16LE(3, 56);
  const load = 1;
  const gnuStack = 0x6474e551;
  const codeEnd = codeOffset + code.length;
  header(0, load, readable | executable, 0, codeBase, codeEnd, codeEnd);
  header(1, load, readable | writable, dataOffset, base, data.length, memorySize);
  header(2, gnuStack, readable | writable, 0, 0, 0, 0);
  file.set(code, codeOffset);
  file.set(data, dataOffset);
  return file;

  function header(
    index: number,
    type: number,
    flags: number,
    offset: number,
    address: number,
    size: number,
    memory: number,
  ): void {
    const start = headerSize + index * programHeaderSize;
    file.writeUInt32LE(type, start);
    file.writeUInt32LE(flags, start + 4);
    file.writeBigUInt64LE(BigInt(offset), start + 8);
    file.writeBigUInt64LE(BigInt(address), start + 16);
    file.writeBigUInt64LE(BigInt(address), start + 24);
    file.writeBigUInt64LE(BigInt(size), start + 32);
    file.writeBigUInt64LE(BigInt(memory), start + 40);
    file.writeBigUInt64LE(BigInt(type === load ? alignment : 16), start + 48);
  }
}
