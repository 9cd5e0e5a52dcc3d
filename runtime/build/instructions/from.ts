import { readFlags } from '../dockerfile/flags.ts';
import type { InstructionLine } from '../dockerfile/instruction-line.ts';
import { DockerfileProblem } from '../dockerfile/problem.ts';

export interface From {
  /** An image, the name of a stage before, or `scratch`; not expanded. */
  readonly base: string;
  /** In small letters; '' where it has none. */
  readonly name: string;
  /** Not expanded; '' for this machine's. */
  readonly platform: string;
}

/** `FROM [--platform=] image [AS name]`. */
export function readFrom({ name, rest, flags }: InstructionLine): From {
  const { platform = '' } = readFlags(name, flags, ['platform']);
  const words = rest.split(/\s+/).filter((word) => word !== '');
  const [base, as, stage] = words;
  const isNamed = words.length === 3 && as?.toLowerCase() === 'as';
  if (base === undefined || (words.length !== 1 && !isNamed)) {
    throw new DockerfileProblem('FROM requires either one or three arguments');
  }
  const lower = (stage ?? '').toLowerCase();
  if (isNamed && !/^[a-z][a-z0-9\-_.]*$/.test(lower)) {
    throw new DockerfileProblem(
      `invalid name for build stage: ${JSON.stringify(stage)}, name can't start with a number or contain symbols`,
    );
  }
  return { base, name: lower, platform };
}
