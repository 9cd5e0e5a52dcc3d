import { readFlags } from '../dockerfile/flags.ts';
import type { InstructionLine } from '../dockerfile/instruction-line.ts';
import { DockerfileProblem } from '../dockerfile/problem.ts';
import { type Command, readCommand } from '../dockerfile/word-lists.ts';
import { type Pair, readPairs } from '../dockerfile/words.ts';
import type { BuildStage, ConfigStage } from '../stage.ts';

/** One kind of instruction: what its line says, and what that does. */
export interface InstructionType<A, S extends ConfigStage = ConfigStage> {
  /** Pure; DockerfileProblem says what is wrong with the line. */
  read(line: InstructionLine): A;
  perform(stage: S, args: A): Promise<void>;
}

/** An instruction of a Dockerfile, read and not performed. */
export interface Step<S extends ConfigStage = BuildStage> {
  readonly name: string;
  readonly source: string;
  readonly line: number;
  /** What `read` found. */
  readonly args: unknown;
  perform(stage: S): Promise<void>;
}

export type StepReader<S extends ConfigStage = BuildStage> = (line: InstructionLine) => Step<S>;

export function stepReader<A, S extends ConfigStage>(type: InstructionType<A, S>): StepReader<S> {
  return (line) => {
    const args = type.read(line);
    const { name, source } = line;
    return { name, source, line: line.line, args, perform: (stage) => type.perform(stage, args) };
  };
}

/** The rest of a line that takes one word or sentence, and no flags. */
export function oneArgument({ name, rest, flags }: InstructionLine): string {
  readFlags(name, flags, []);
  if (rest === '') throw new DockerfileProblem(`${name} requires exactly one argument`);
  return rest;
}

/** The rest of a line that is a command, without flags. */
export function commandOf({ name, rest, flags }: InstructionLine): Command {
  readFlags(name, flags, []);
  return readCommand(rest);
}

/** `NAME=value …`, without flags. */
export function pairsOf({ name, rest, flags, escapeMark }: InstructionLine): readonly Pair[] {
  readFlags(name, flags, []);
  return readPairs(name, rest, escapeMark);
}
