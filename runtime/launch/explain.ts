import { errnoName } from '../base/errors.ts';
import type { Arg, CallStep, Cell, LocalStep, Program, Target } from './program.ts';
import type { LaunchStep } from './types.ts';

/**
 * The program as text, one line a step, as strace would show it: number, call with arguments, where it goes
 * on errors, and what it is for. `$name` is a value known at run time.
 */
export function explain(program: Program): string {
  const names = new Map<number, string[]>();
  const lines: string[] = [];
  for (const step of program.steps) for (const label of labelsOf(step)) note(label);
  const total = callsOf(program).length;
  const width = String(total).length;
  let index = 0;
  for (const [position, step] of program.steps.entries()) {
    for (const name of names.get(position) ?? []) lines.push(`${name}:`);
    if (step.kind === 'call') index += 1;
    const number = step.kind === 'call' ? String(index) : '';
    const text = step.kind === 'call' ? callText(step) : localText(step);
    const ways = step.kind === 'call' ? callWays(step) : localWays(step);
    lines.push(`${number.padStart(width)}  ${text}${ways && `  ${ways}`}`);
  }
  return `${lines.join('\n')}\n`;

  function note(target: Target): void {
    if (typeof target === 'string' || target.at === undefined) return;
    const at = names.get(target.at) ?? [];
    if (!at.includes(target.name)) names.set(target.at, [...at, target.name]);
  }
}

/** The step with this index (from 1; system calls count, local operations do not). */
export function stepOf(program: Program, index: number): LaunchStep {
  const calls = callsOf(program);
  const step = calls[index - 1];
  if (!step) throw new Error(`Cannot name step ${index}: the program has ${calls.length}`);
  return { index, total: calls.length, what: step.what, syscall: step.call, args: step.args.map(argText) };
}

export function callsOf(program: Program): readonly CallStep[] {
  return program.steps.filter((step) => step.kind === 'call');
}

function labelsOf(step: CallStep | LocalStep): readonly Target[] {
  const own = [step.negative, step.zero, step.positive];
  return step.kind === 'call' ? [...own, ...step.errors.values()] : own;
}

function callText(step: CallStep): string {
  const result = step.result ? `$${cellText(step.result)} = ` : '';
  const forced = step.forcedErrno === undefined ? '' : ` (not made: ${errnoName(step.forcedErrno)})`;
  const what = step.what === step.call ? '' : `  # ${step.what}`;
  return `${result}${step.call}(${step.args.map(argText).join(', ')})${forced}${what}`;
}

function localText(step: LocalStep): string {
  const from = step.mask === 0n ? '' : step.mask === -1n ? fromText(step) : maskedText(step);
  const minus =
    typeof step.minus === 'bigint' ? constantText(step.minus, from) : ` - $${cellText(step.minus)}`;
  return `$${cellText(step.result)} = ${`${from}${minus}`.trim() || '0'}`;
}

function fromText({ from, indirect }: LocalStep): string {
  return `${indirect ? '*' : ''}$${cellText(from)}`;
}

function maskedText(step: LocalStep): string {
  return `(${fromText(step)} & 0x${BigInt.asUintN(64, step.mask).toString(16)})`;
}

function constantText(minus: bigint, from: string): string {
  if (minus === 0n) return from ? '' : '0';
  if (minus < 0n) return from ? ` + ${-minus}` : String(-minus);
  return from ? ` - ${minus}` : String(-minus);
}

function callWays(step: CallStep): string {
  const ways = [...step.errors].map(([errno, target]) => `${errnoName(errno)} → ${targetText(target)}`);
  if (step.negative !== 'fail') ways.push(`error → ${targetText(step.negative)}`);
  if (step.zero !== 'next') ways.push(`0 → ${targetText(step.zero)}`);
  if (step.positive !== 'next') ways.push(`positive → ${targetText(step.positive)}`);
  return ways.length === 0 ? '' : `[${ways.join(', ')}]`;
}

function localWays({ negative, zero, positive }: LocalStep): string {
  if (negative === zero && zero === positive) return negative === 'next' ? '' : `[→ ${targetText(negative)}]`;
  return `[negative → ${targetText(negative)}, 0 → ${targetText(zero)}, positive → ${targetText(positive)}]`;
}

function targetText(target: Target): string {
  return typeof target === 'string' ? target : target.name;
}

function argText(arg: Arg): string {
  if (typeof arg !== 'object') return String(arg);
  if (arg.kind === 'named') return arg.text;
  if (arg.kind === 'cell') return `$${cellText(arg)}`;
  const { name, string, text = string === undefined ? name : JSON.stringify(string) } = arg.area;
  const shown = /^["[]/.test(text) ? text : `&${text}`;
  return arg.offset === 0 ? shown : `${shown}+${arg.offset}`;
}

function cellText(cell: Cell): string {
  return cell.offset === 0 ? cell.area.name : `${cell.area.name}[${cell.offset}]`;
}
