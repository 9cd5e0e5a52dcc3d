import { writeElf } from './elf.ts';
import { entrySize, interpreterFor } from './interpreter.ts';
import type { Area, AreaPart, Arg, CallStep, Cell, Label, Program, Step, Target } from './program.ts';
import { systemCalls } from './system-calls.ts';

/** An argument slot of an entry, as the place a result is stored at. */
interface Slot {
  readonly kind: 'slot';
  readonly entry: Entry;
  readonly arg: number;
}

interface Entry {
  readonly number: number;
  args: (number | bigint | AreaPart)[];
  result: Cell | Slot;
  /** Entries, or where the steps of a label begin. */
  next: [EntryTarget, EntryTarget, EntryTarget];
  index?: number;
}

type EntryTarget = Entry | Label;

const local = -1;
const all = -1;

/** The program as a static ELF executable for `arch` (Node's name, as `x64`). */
export function encodeProgram(program: Program, arch: string = process.arch): Buffer {
  if (arch !== 'x64' && arch !== 'arm64') interpreterFor(arch);
  const numbers = arch === 'arm64' ? ('arm64' as const) : ('x64' as const);
  const { entries, firstOfStep, scratch } = lower(program, numbers);
  const areas = [...program.areas, scratch];
  const interpreter = interpreterFor(arch);
  return writeElf(interpreter, (base) => {
    const { offsets, fileSize, memorySize } = place(areas, entries.length * entrySize);
    const addressOf = (part: { readonly area: Area; readonly offset: number }): number => {
      const offset = offsets.get(part.area);
      if (offset === undefined)
        throw new Error(`Cannot encode: area ${part.area.name} is of another program`);
      return base + offset + part.offset;
    };
    const entryAddress = (target: EntryTarget): number => {
      const entry = 'kind' in target ? firstOfStep[target.at ?? -1] : target;
      if (entry?.index === undefined) throw new Error(`Cannot encode: a label was never placed`);
      return base + entry.index * entrySize;
    };
    const data = Buffer.alloc(fileSize);
    const words = new DataView(data.buffer, data.byteOffset, data.length);
    for (const [index, entry] of entries.entries()) {
      const start = index * entrySize;
      writeWord(words, start, entry.number);
      let offset = start + 8;
      for (const arg of entry.args) {
        writeWord(words, offset, typeof arg === 'object' ? addressOf(arg) : arg);
        offset += 8;
      }
      const { result, next } = entry;
      const stored =
        result.kind === 'cell' ? addressOf(result) : entryAddress(result.entry) + 8 + result.arg * 8;
      words.setUint32(start + 56, stored, true);
      words.setUint32(start + 60, entryAddress(next[0]), true);
      words.setUint32(start + 64, entryAddress(next[1]), true);
      words.setUint32(start + 68, entryAddress(next[2]), true);
    }
    for (const area of areas) {
      const offset = offsets.get(area) ?? 0;
      if (area.bytes) data.set(area.bytes, offset);
      for (const pointer of area.pointers ?? [])
        data.writeUInt32LE(addressOf(pointer.to), offset + pointer.offset);
    }
    return { data, memorySize, stack: addressOf(program.stackPointer ?? { area: scratch, offset: 0 }) };
  });
}

/** Most words are small: those are written without a big integer each, which a cold start feels. */
function writeWord(words: DataView, offset: number, value: number | bigint): void {
  const number = Number(value);
  if (Number.isSafeInteger(number)) {
    words.setInt32(offset, number | 0, true);
    words.setInt32(offset + 4, Math.floor(number / 2 ** 32), true);
  } else words.setBigInt64(offset, BigInt.asIntN(64, BigInt(value)), true);
}

/** Areas with content first, then the zeroed ones, which take no room in the file. */
function place(areas: readonly Area[], start: number) {
  const offsets = new Map<Area, number>();
  let end = start;
  const put = (area: Area) => {
    end = Math.ceil(end / 16) * 16;
    offsets.set(area, end);
    end += area.size;
  };
  for (const area of areas) if (area.bytes) put(area);
  const fileSize = end;
  for (const area of areas) if (!area.bytes) put(area);
  return { offsets, fileSize, memorySize: end };
}

/**
 * Steps to entries: values known at run time are copied into the argument slots first, and what happens on
 * an errno of its own becomes a chain of comparisons, kept apart at the end.
 */
function lower(program: Program, arch: 'x64' | 'arm64') {
  const { lastResult } = program;
  const scratch: Area = { name: 'comparison', size: 8, text: 'comparison' };
  const ignored: Cell = { kind: 'cell', area: scratch, offset: 0 };
  const entries: Entry[] = [];
  const rare: Entry[] = [];
  const firstOfStep: Entry[] = [];
  // A label after the last step leads nowhere; the builder's programs end in exit_group.
  const labels = program.steps.map(
    (_, index): Label => ({ kind: 'label', name: `step ${index}`, at: index }),
  );
  let callIndex = 0;
  for (const [position, step] of program.steps.entries()) {
    const next = labels[position + 1] ?? { kind: 'label', name: 'end', at: position };
    if (step.kind === 'call') callIndex += 1;
    const index = callIndex;
    const targetOf = (target: Target): EntryTarget =>
      target === 'next' ? next : target === 'fail' ? failure(step, index) : target;

    const main: Entry = {
      number: numberOf(step, arch),
      args: [],
      result: step.result ?? lastResult,
      next: [next, next, next],
    };
    const values = argsOf(step, lastResult);
    const before: Entry[] = [];
    main.args = values.map((arg, slot) => {
      if (typeof arg === 'object' && arg.kind === 'cell') {
        before.push(copyEntry(arg, { kind: 'slot', entry: main, arg: slot }));
        return 0;
      }
      return typeof arg === 'object' && arg.kind === 'named' ? arg.value : arg;
    });
    const chain = [...before, main];
    for (const [place, entry] of before.entries()) {
      const following = chain[place + 1] ?? main;
      entry.next = [following, following, following];
    }
    firstOfStep.push(chain[0] ?? main);
    entries.push(...chain);
    main.next = [negativeOf(step, targetOf), targetOf(step.zero), targetOf(step.positive)];
  }
  entries.push(...rare);
  for (const [index, entry] of entries.entries()) entry.index = index;
  return { entries, firstOfStep, scratch };

  function copyEntry(from: Cell, to: Cell | Slot): Entry {
    const entry: Entry = { number: local, args: [pointer(from), 0, all], result: to, next: [] as never };
    entry.next = [entry, entry, entry];
    return entry;
  }

  function negativeOf(step: Step, targetOf: (target: Target) => EntryTarget): EntryTarget {
    let target = targetOf(step.negative);
    if (step.kind === 'local') return target;
    const result = step.result ?? lastResult;
    for (const [errno, branch] of [...step.errors].reverse()) {
      const other = target;
      const compare: Entry = {
        number: local,
        args: [pointer(result), -errno, all],
        result: ignored,
        next: [other, targetOf(branch), other],
      };
      rare.push(compare);
      target = compare;
    }
    return target;
  }

  /** Stores the step's index and errno where the handler finds them. */
  function failure(step: Step, index: number): EntryTarget {
    if (step.kind !== 'call') throw new Error('Cannot encode: a local operation has no error of its own');
    const handler = program.failureHandlers[step.failure];
    if (!handler) throw new Error(`Cannot encode: ${step.what} may fail where no failure handler was set`);
    const number: Entry = {
      number: local,
      args: [pointer(handler.index), -index, 0],
      result: handler.index,
      next: [handler.label, handler.label, handler.label],
    };
    rare.push(number);
    if (!step.result) return number;
    const errno = copyEntry(step.result, lastResult);
    errno.next = [number, number, number];
    rare.push(errno);
    return errno;
  }
}

function numberOf(step: Step, arch: 'x64' | 'arm64'): number {
  return step.kind === 'local' || step.forcedErrno !== undefined ? local : systemCalls[step.call][arch];
}

function argsOf(step: Step, any: Cell): readonly Arg[] {
  if (step.kind === 'local') return [step.indirect ? step.from : pointer(step.from), step.minus, step.mask];
  return step.forcedErrno === undefined ? step.args : forced(step, any);
}

function forced(step: CallStep, any: Cell): readonly Arg[] {
  return [pointer(any), BigInt(step.forcedErrno ?? 0), 0n];
}

function pointer(cell: Cell): AreaPart {
  return { kind: 'address', area: cell.area, offset: cell.offset };
}
