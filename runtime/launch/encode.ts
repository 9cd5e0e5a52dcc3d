import { dataFileOffset, writeElf } from './elf.ts';
import { entrySize, interpreterFor } from './interpreter.ts';
import type { Area, CallStep, Program, Step, Target } from './program.ts';
import { systemCalls } from './system-calls.ts';

export interface EncodedProgram {
  readonly image: Buffer;
  /** Where the image has an area's content. */
  offsetOf(area: Area): number;
}

/** The program as a static ELF executable for `arch` (Node's name, as `x64`). */
export function encodeProgram(program: Program, arch: string = process.arch): Buffer {
  return encodeWithOffsets(program, arch).image;
}

export function encodeWithOffsets(program: Program, arch: string = process.arch): EncodedProgram {
  const interpreter = interpreterFor(arch);
  const scratch: Area = { name: 'comparison', size: 8 };
  const entries = countEntries(program.steps);
  const { offsets, fileSize, memorySize } = place([...program.areas, scratch], entries.total * entrySize);
  let dataBase = 0;
  const image = writeElf(interpreter, (base) => {
    dataBase = base;
    const data = Buffer.alloc(fileSize);
    const encoder = new Encoder(program, arch === 'arm64' ? 'arm64' : 'x64', data, base, offsets, scratch);
    encoder.writeEntries(entries);
    encoder.writeAreas();
    return {
      data,
      memorySize,
      stack: encoder.addressOf(program.stackPointer ?? { area: scratch, offset: 0 }),
    };
  });
  return { image, offsetOf: (area) => dataFileOffset(dataBase + (offsets.get(area) ?? 0)) };
}

interface EntryCount {
  /** Index of the first entry of each step. */
  readonly first: readonly number[];
  /** Index from which on the comparisons of errnos and the notes of failures stand, apart from what is run as a rule. */
  readonly rare: number;
  readonly total: number;
}

function countEntries(steps: readonly Step[]): EntryCount {
  const first: number[] = [];
  let usual = 0;
  let rare = 0;
  for (const step of steps) {
    first.push(usual);
    usual += 1 + cellsIn(step);
    if (step.kind === 'call') rare += step.errors.size + (canFail(step) ? failureEntries(step) : 0);
  }
  return { first, rare: usual, total: usual + rare };
}

/** Arguments that are known at run time: an entry each copies them. */
function cellsIn(step: Step): number {
  if (step.kind === 'local') return (step.indirect ? 1 : 0) + (typeof step.minus === 'object' ? 1 : 0);
  if (step.forcedErrno !== undefined) return 0;
  let count = 0;
  for (const arg of step.args) if (typeof arg === 'object' && arg.kind === 'cell') count += 1;
  return count;
}

function canFail(step: CallStep): boolean {
  if (step.negative === 'fail' || step.zero === 'fail' || step.positive === 'fail') return true;
  for (const target of step.errors.values()) if (target === 'fail') return true;
  return false;
}

/** The number of the step is noted, and its errno where that is not yet where the handler finds it. */
const failureEntries = (step: CallStep): number => (step.result ? 2 : 1);

/** Areas with content first, then the zeroed ones, which take no room in the file. */
function place(areas: readonly Area[], start: number) {
  const offsets = new Map<Area, number>();
  let end = start;
  const put = (area: Area) => {
    end = (end + 15) & ~15;
    offsets.set(area, end);
    end += area.size;
  };
  for (const area of areas) if (hasContent(area)) put(area);
  const fileSize = (end + 3) & ~3;
  for (const area of areas) if (!hasContent(area)) put(area);
  return { offsets, fileSize, memorySize: Math.max(end, fileSize) };
}

function hasContent(area: Area): boolean {
  return area.bytes !== undefined || area.string !== undefined;
}

const local = -1;
const all = -1;
const entryWords = entrySize / 4;

/**
 * Writes entries: values known at run time are copied into the argument slots first, and what happens on
 * an errno of its own becomes a chain of comparisons. A command line runs this once in its life, before V8 has made anything of it fast: so words
 * are written as they come, without an object for an entry, and without a big integer where a number does.
 */
class Encoder {
  readonly #program: Program;
  readonly #arch: 'x64' | 'arm64';
  readonly #data: Buffer;
  /** Both architectures have the low byte first, as whatever machine this runs on. */
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #offsets: ReadonlyMap<Area, number>;
  readonly #ignored: number;
  #first: readonly number[] = [];
  #rare = 0;

  constructor(
    program: Program,
    arch: 'x64' | 'arm64',
    data: Buffer,
    base: number,
    offsets: ReadonlyMap<Area, number>,
    scratch: Area,
  ) {
    this.#program = program;
    this.#arch = arch;
    this.#data = data;
    this.#words = new Int32Array(data.buffer, data.byteOffset, data.length / 4);
    this.#base = base;
    this.#offsets = offsets;
    this.#ignored = this.addressOf({ area: scratch, offset: 0 });
  }

  addressOf(part: { readonly area: Area; readonly offset: number }): number {
    const offset = this.#offsets.get(part.area);
    if (offset === undefined) throw new Error(`Cannot encode: area ${part.area.name} is of another program`);
    return this.#base + offset + part.offset;
  }

  writeAreas(): void {
    const data = this.#data;
    for (const area of this.#program.areas) {
      const offset = this.#offsets.get(area) ?? 0;
      if (area.string !== undefined) data.write(area.string, offset);
      else if (area.bytes) data.set(area.bytes, offset);
      if (area.pointers)
        for (const { to, offset: at } of area.pointers) data.writeUInt32LE(this.addressOf(to), offset + at);
    }
  }

  writeEntries({ first, rare }: EntryCount): void {
    this.#first = first;
    this.#rare = rare;
    const { steps, lastResult } = this.#program;
    const common = this.addressOf(lastResult);
    let calls = 0;
    for (let position = 0; position < steps.length; position += 1) {
      const step = steps[position] as Step;
      if (step.kind === 'local') this.#writeLocal(step, position);
      else {
        calls += 1;
        this.#writeCall(step, position, calls, step.result ? this.addressOf(step.result) : common);
      }
    }
  }

  #writeCall(step: CallStep, position: number, number: number, result: number): void {
    let entry = this.#first[position] ?? 0;
    const following = this.#following(position);
    const fail = canFail(step) ? this.#failure(step, number, result) : 0;
    const { args, forcedErrno } = step;
    const main = entry + cellsIn(step);
    if (forcedErrno !== undefined) {
      this.#head(main, local, result);
      this.#put(main, 0, result);
      this.#put(main, 1, forcedErrno);
    } else {
      this.#head(main, systemCalls[step.call][this.#arch], result);
      for (let slot = 0; slot < args.length; slot += 1) {
        const arg = args[slot];
        if (typeof arg !== 'object') this.#put(main, slot, arg ?? 0);
        else if (arg.kind === 'named') this.#put(main, slot, arg.value);
        else if (arg.kind === 'address') this.#put(main, slot, this.addressOf(arg));
        else {
          this.#copy(entry, this.addressOf(arg), this.#slotAddress(main, slot));
          entry += 1;
        }
      }
    }
    let negative = this.#address(step.negative, following, fail);
    if (step.errors.size > 0)
      for (const [errno, target] of [...step.errors].reverse()) {
        const compare = this.#rare++;
        this.#head(compare, local, this.#ignored);
        this.#put(compare, 0, result);
        this.#put(compare, 1, -errno);
        this.#put(compare, 2, all);
        this.#ways(compare, negative, this.#address(target, following, fail), negative);
        negative = this.#entryAddress(compare);
      }
    const zero = this.#address(step.zero, following, fail);
    this.#ways(main, negative, zero, this.#address(step.positive, following, fail));
  }

  #writeLocal(step: Exclude<Step, CallStep>, position: number): void {
    let entry = this.#first[position] ?? 0;
    const following = this.#following(position);
    const main = entry + cellsIn(step);
    this.#head(main, local, this.addressOf(step.result));
    const from = this.addressOf(step.from);
    if (step.indirect) this.#copy(entry++, from, this.#slotAddress(main, 0));
    else this.#put(main, 0, from);
    if (typeof step.minus === 'object')
      this.#copy(entry, this.addressOf(step.minus), this.#slotAddress(main, 1));
    else this.#put(main, 1, step.minus);
    this.#put(main, 2, step.mask);
    const negative = this.#address(step.negative, following, 0);
    const zero = this.#address(step.zero, following, 0);
    this.#ways(main, negative, zero, this.#address(step.positive, following, 0));
  }

  /** Where it goes when a step fails: its number and errno are stored where the handler finds them. */
  #failure(step: CallStep, number: number, result: number): number {
    const handler = this.#program.failureHandlers[step.failure];
    if (!handler) throw new Error(`Cannot encode: ${step.what} may fail where no failure handler was set`);
    const index = this.addressOf(handler.index);
    const begin = this.#address(handler.label, 0, 0);
    const note = this.#rare++;
    this.#head(note, local, index);
    this.#put(note, 0, index);
    this.#put(note, 1, -number);
    this.#ways(note, begin, begin, begin);
    const noted = this.#entryAddress(note);
    if (!step.result) return noted;
    const errno = this.#rare++;
    this.#copy(errno, result, this.addressOf(this.#program.lastResult), noted);
    return this.#entryAddress(errno);
  }

  /** `*to = *from`, and then the next entry or what is said. */
  #copy(entry: number, from: number, to: number, then = this.#entryAddress(entry + 1)): void {
    this.#head(entry, local, to);
    this.#put(entry, 0, from);
    this.#put(entry, 2, all);
    this.#ways(entry, then, then, then);
  }

  #head(entry: number, number: number, result: number): void {
    const at = entry * entryWords;
    this.#words[at] = number;
    if (number < 0) this.#words[at + 1] = -1;
    this.#words[at + 14] = result;
  }

  #put(entry: number, slot: number, value: number | bigint): void {
    if (value === 0) return;
    const at = entry * entryWords + 2 + slot * 2;
    const small = Number(value) | 0;
    // biome-ignore lint/suspicious/noDoubleEquals: a number or a big integer
    if (small == value) {
      this.#words[at] = small;
      if (small < 0) this.#words[at + 1] = -1;
    } else this.#data.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)), at * 4);
  }

  #ways(entry: number, negative: number, zero: number, positive: number): void {
    const at = entry * entryWords + 15;
    this.#words[at] = negative;
    this.#words[at + 1] = zero;
    this.#words[at + 2] = positive;
  }

  #address(target: Target, following: number, fail: number): number {
    if (target === 'next') return following;
    if (target === 'fail') {
      if (fail === 0) throw new Error('Cannot encode: a local operation has no error of its own');
      return fail;
    }
    const entry = this.#first[target.at ?? -1];
    if (entry === undefined) throw new Error('Cannot encode: a label was never placed');
    return this.#entryAddress(entry);
  }

  /** The step behind it; the builder's programs end in exit_group. */
  #following(position: number): number {
    return this.#entryAddress(this.#first[position + 1] ?? this.#first[position] ?? 0);
  }

  #entryAddress(entry: number): number {
    return this.#base + entry * entrySize;
  }

  #slotAddress(entry: number, slot: number): number {
    return this.#entryAddress(entry) + 8 + slot * 8;
  }
}
