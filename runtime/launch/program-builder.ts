import { errnoNumber } from '../base/errors.ts';
import type {
  Area,
  AreaPart,
  Arg,
  CallStep,
  Cell,
  FailureHandler,
  Label,
  Program,
  Step,
  Target,
} from './program.ts';
import { recordDescriptor } from './records.ts';
import type { CallName } from './system-calls.ts';

export interface CallOptions {
  /** `mount "proc" at "/proc"`: what an error says cannot be done. Default: the call's name. */
  readonly what?: string;
  readonly result?: Cell;
  /** Branches for errnos by name, `ENOENT: 'next'`; `other` for the rest (default: fail). One target alone is for all. */
  readonly errors?: Target | (Readonly<Record<string, Target>> & { readonly other?: Target });
  readonly zero?: Target;
  readonly positive?: Target;
  /** The call is not made: it fails with this errno. */
  readonly forcedErrno?: number;
}

const noErrors: ReadonlyMap<number, Target> = new Map();

/**
 * Puts a program together, step by step.
 *
 * @example
 * const p = new ProgramBuilder();
 * const fd = p.cell('fd');
 * p.call('openat', [AT_FDCWD, p.text('/dev/null'), O_RDWR], { what: 'open "/dev/null"', result: fd });
 * p.call('dup3', [fd, 0, 0]);
 */
export class ProgramBuilder {
  readonly #steps: Step[] = [];
  readonly #areas: Area[] = [];
  readonly #texts = new Map<string, Area>();
  readonly #failureHandlers: FailureHandler[] = [];
  readonly lastResult = this.cell('last result');
  readonly #scratch = this.cell('scratch');
  /** Of the record pipe. Below it are the streams, and descriptors that the container's process is to have. */
  readonly recordDescriptor: number;

  constructor(record: number = recordDescriptor) {
    this.recordDescriptor = record;
  }

  /** An 8-byte variable. */
  cell(name: string, initial?: number | bigint): Cell {
    if (!initial) return at(this.#add({ name, size: 8 }), 0);
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(initial));
    return at(this.#add({ name, size: 8, bytes }), 0);
  }

  /** Zeroed memory. */
  buffer(name: string, size: number): Area {
    return this.#add({ name, size });
  }

  bytes(name: string, bytes: Uint8Array, text = name): Area {
    return this.#add({ name, size: bytes.length, bytes, text });
  }

  /** The address of a C string. */
  text(value: string): AreaPart {
    let area = this.#texts.get(value);
    if (!area) {
      area = this.#add({ name: 'text', size: Buffer.byteLength(value) + 1, string: value });
      this.#texts.set(value, area);
    }
    return address(area);
  }

  /** The address of a NULL-terminated vector of C strings. */
  vector(name: string, values: readonly string[]): AreaPart {
    const pointers = values.map((value, index) => ({ offset: index * 8, to: this.text(value) }));
    const text = `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
    return address(
      this.#add({
        name,
        size: 8 * (values.length + 1),
        bytes: Buffer.alloc(8 * (values.length + 1)),
        pointers,
        text,
      }),
    );
  }

  /** A cell whose value is an address. */
  pointer(name: string, to: AreaPart): Cell {
    return at(this.linked(name, Buffer.alloc(8), [{ offset: 0, to }]), 0);
  }

  /** Memory that holds addresses: the parts at their offsets, everything else from `bytes`. */
  linked(name: string, bytes: Uint8Array, pointers: readonly { offset: number; to: AreaPart }[]): Area {
    return this.#add({ name, size: bytes.length, bytes, pointers });
  }

  label(name: string): Label {
    return { kind: 'label', name };
  }

  /** The next step added is what the label leads to. */
  place(label: Label): void {
    if (label.at !== undefined) throw new Error(`Cannot place label ${label.name} twice`);
    label.at = this.#steps.length;
  }

  /** From here on, steps that fail without a branch go to this handler. */
  onFailure(handler: FailureHandler): void {
    this.#failureHandlers.push(handler);
  }

  call(call: CallName, args: readonly Arg[], options: CallOptions = {}): void {
    const { errors: branches, result, forcedErrno } = options;
    let errors = noErrors;
    let negative: Target = 'fail';
    if (typeof branches === 'string' || branches?.kind === 'label') negative = branches as Target;
    else if (branches) {
      const own = new Map<number, Target>();
      for (const [name, target] of Object.entries(branches as Readonly<Record<string, Target>>)) {
        const errno = errnoNumber(name);
        if (errno !== undefined) own.set(errno, target);
        else if (name === 'other') negative = target;
        else throw new Error(`Cannot branch on ${name}: not an errno`);
      }
      errors = own;
    }
    const step: { -readonly [Key in keyof CallStep]: CallStep[Key] } = {
      kind: 'call',
      call,
      args,
      what: options.what ?? call,
      errors,
      negative,
      zero: options.zero ?? 'next',
      positive: options.positive ?? 'next',
      failure: this.#failureHandlers.length - 1,
    };
    if (result) step.result = result;
    if (forcedErrno !== undefined) step.forcedErrno = forcedErrno;
    this.#steps.push(step);
  }

  /** `result = (from & mask) - minus`, then one of three ways. Without a result only the branch counts. */
  local(
    from: Cell,
    options: {
      readonly mask?: bigint;
      readonly minus?: number | bigint | Cell;
      readonly indirect?: boolean;
      readonly result?: Cell;
      readonly negative?: Target;
      readonly zero?: Target;
      readonly positive?: Target;
    },
  ): void {
    const minus = options.minus ?? 0n;
    this.#steps.push({
      kind: 'local',
      from,
      ...(options.indirect ? { indirect: true } : {}),
      mask: options.mask ?? -1n,
      minus: typeof minus === 'number' ? BigInt(minus) : minus,
      result: options.result ?? this.#scratch,
      negative: options.negative ?? 'next',
      zero: options.zero ?? 'next',
      positive: options.positive ?? 'next',
    });
  }

  set(cell: Cell, value: number | bigint): void {
    this.local(cell, { mask: 0n, minus: -BigInt(value), result: cell });
  }

  copy(from: Cell, to: Cell): void {
    this.local(from, { result: to });
  }

  /** `to = from + more` */
  add(from: Cell, more: Cell, to: Cell): void {
    const negative = this.cell('negative');
    this.local(more, { mask: 0n, minus: more, result: negative });
    this.local(from, { minus: negative, result: to });
  }

  goto(target: Label): void {
    this.local(this.#scratch, { mask: 0n, negative: target, zero: target, positive: target });
  }

  build(stackPointer?: Cell): Program {
    return {
      steps: this.#steps,
      areas: this.#areas,
      lastResult: this.lastResult,
      failureHandlers: this.#failureHandlers,
      ...(stackPointer ? { stackPointer } : {}),
    };
  }

  #add(area: Area): Area {
    this.#areas.push(area);
    return area;
  }
}

export function address(area: Area, offset = 0): AreaPart {
  return { kind: 'address', area, offset };
}

export function at(area: Area, offset: number): Cell {
  return { kind: 'cell', area, offset };
}
