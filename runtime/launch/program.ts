import type { CallName } from './system-calls.ts';

/**
 * # Launch programs
 *
 * A **program** is a list of steps: system calls, and local operations on the program's own memory. A step goes on
 * to the next one, or where its three branches say: result negative (an errno), zero, positive. An **area** is a
 * piece of the program's memory; a **cell** is eight bytes of an area that take a result and can be the argument
 * of later steps. A step that fails without a branch for it writes the error record (its own index and the errno) to
 * the record pipe and ends the process.
 *
 * A program is pure data. `encodeProgram` makes the ELF file of it, `explain` the text.
 */
export interface Program {
  readonly steps: readonly Step[];
  readonly areas: readonly Area[];
  /** Takes the results of calls that nobody asked for, and the errno of a failed step. */
  readonly lastResult: Cell;
  /** Where the steps of each failure handler begin; `Step.failure` is an index into it. */
  readonly failureHandlers: readonly FailureHandler[];
  /** Takes the stack pointer at the start: it points at argc, argv and the environment follow (elf(5), System V ABI). */
  readonly stackPointer?: Cell;
}

export type Step = CallStep | LocalStep;

export interface Branches {
  readonly negative: Target;
  readonly zero: Target;
  readonly positive: Target;
}

export interface CallStep extends Branches {
  readonly kind: 'call';
  readonly call: CallName;
  readonly args: readonly Arg[];
  readonly what: string;
  readonly result?: Cell;
  /** Errnos that have a branch of their own, before `negative`. */
  readonly errors: ReadonlyMap<number, Target>;
  readonly failure: number;
  /** Set by `injectFailure`: the call is not made and its result is minus this. */
  readonly forcedErrno?: number;
}

/** `result = (from & mask) - minus` */
export interface LocalStep extends Branches {
  readonly kind: 'local';
  readonly from: Cell;
  /** `from` holds the address of what is meant. */
  readonly indirect?: boolean;
  readonly mask: bigint;
  readonly minus: bigint | Cell;
  readonly result: Cell;
}

export interface Label {
  readonly kind: 'label';
  readonly name: string;
  /** Index of the step it stands before; set when it is placed. */
  at?: number;
}

/** `fail`: write the error record and end. */
export type Target = 'next' | 'fail' | Label;

export interface FailureHandler {
  readonly label: Label;
  /** Takes the index of the failed step; its negative errno is in `lastResult`. */
  readonly index: Cell;
}

/** Memory of the program. Without content it is zero, and takes no room in the file. */
export interface Area {
  readonly name: string;
  readonly size: number;
  readonly bytes?: Uint8Array;
  /** A C string: in UTF-8, and with its NUL counted in the size. */
  readonly string?: string;
  /** Addresses stored in it: argument vectors, I/O vectors. */
  readonly pointers?: readonly { readonly offset: number; readonly to: AreaPart }[];
  /** For explain; default: the string, or the name. */
  readonly text?: string;
}

/** The address of a place in an area. */
export interface AreaPart {
  readonly kind: 'address';
  readonly area: Area;
  readonly offset: number;
}

/** Eight bytes whose value at run time is meant. */
export interface Cell {
  readonly kind: 'cell';
  readonly area: Area;
  readonly offset: number;
}

/** A number with the words for it: `MS_BIND|MS_REC`. */
export interface Named {
  readonly kind: 'named';
  readonly value: number | bigint;
  readonly text: string;
}

export type Arg = number | bigint | Named | AreaPart | Cell;

/** The same program, except that the step with this index (from 1, calls only) is not made and fails with `errno`. */
export function injectFailure(program: Program, index: number, errno: number): Program {
  return changeCall(program, index, (step) => ({ ...step, forcedErrno: errno }));
}

/** The same program, except that the process ends at the step with this index, as if it were killed there. */
export function injectDeath(program: Program, index: number): Program {
  return changeCall(program, index, (step) => ({ ...step, call: 'exit_group', args: [137] }));
}

function changeCall(program: Program, index: number, change: (step: CallStep) => CallStep): Program {
  let calls = 0;
  const steps = program.steps.map((step) => {
    if (step.kind !== 'call') return step;
    calls += 1;
    return calls === index ? change(step) : step;
  });
  return { ...program, steps };
}
