import { allInstructions } from '../instructions/all-instructions.ts';
import { type Argument, arg } from '../instructions/arg.ts';
import { type From, readFrom } from '../instructions/from.ts';
import type { Step, StepReader } from '../instructions/instruction.ts';
import type { ConfigStage } from '../stage.ts';
import type { Escape } from './directives.ts';
import { type InstructionLine, readInstructionLine } from './instruction-line.ts';
import { readLogicalLines } from './logical-lines.ts';
import { at, DockerfileProblem } from './problem.ts';

export interface Dockerfile {
  readonly escapeMark: Escape;
  /** ARG before the first FROM: for the FROMs, and the defaults of the stages' own ARGs. */
  readonly globalArguments: readonly GlobalArguments[];
  readonly stages: readonly StageText[];
  readonly warnings: readonly string[];
}

export interface GlobalArguments {
  readonly source: string;
  readonly line: number;
  readonly args: readonly Argument[];
}

export interface StageText extends From {
  readonly source: string;
  readonly line: number;
  readonly steps: readonly Step[];
}

/** Reads a whole Dockerfile; nothing of it is performed. Kind `invalid`, with the line. */
export function parseDockerfile(text: string): Dockerfile {
  const { escapeMark, lines, warnings } = readLogicalLines(text);
  const globalArguments: GlobalArguments[] = [];
  const stages: (StageText & { readonly steps: Step[] })[] = [];
  for (const logical of lines) {
    const { line } = logical;
    at(line, () => {
      const instruction = readInstructionLine(logical, escapeMark);
      const { name, source } = instruction;
      const stage = stages.at(-1);
      if (name === 'FROM') stages.push({ ...readFrom(instruction), source, line, steps: [] });
      else if (stage) stage.steps.push(readStep(instruction, allInstructions));
      else if (name === 'ARG') globalArguments.push({ source, line, args: arg.read(instruction) });
      else {
        readStep(instruction, allInstructions);
        throw new DockerfileProblem('no build stage in current context: wanted FROM, or ARG before it');
      }
    });
  }
  return { escapeMark, globalArguments, stages, warnings };
}

/** Lines of instructions without FROM: triggers and `--change`. Kind `invalid`. */
export function parseSteps<S extends ConfigStage>(
  text: string,
  instructions: ReadonlyMap<string, StepReader<S>>,
): { readonly steps: readonly Step<S>[]; readonly escapeMark: Escape } {
  const { escapeMark, lines } = readLogicalLines(text);
  const steps = lines.map((logical) =>
    at(logical.line, () => readStep(readInstructionLine(logical, escapeMark), instructions)),
  );
  return { steps, escapeMark };
}

function readStep<S extends ConfigStage>(
  instruction: InstructionLine,
  instructions: ReadonlyMap<string, StepReader<S>>,
): Step<S> {
  const read = instructions.get(instruction.name);
  if (read) return read(instruction);
  if (allInstructions.has(instruction.name) || instruction.name === 'FROM') {
    throw new DockerfileProblem(
      `${instruction.name} is not a valid change command: wanted one of ${[...instructions.keys()].join(', ')}`,
    );
  }
  throw new DockerfileProblem(`unknown instruction: ${instruction.name}`);
}
