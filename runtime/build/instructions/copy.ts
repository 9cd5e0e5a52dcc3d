import { readFlags } from '../dockerfile/flags.ts';
import type { InstructionLine } from '../dockerfile/instruction-line.ts';
import { DockerfileProblem } from '../dockerfile/problem.ts';
import { readList } from '../dockerfile/word-lists.ts';
import type { BuildStage, CopyRequest } from '../stage.ts';
import type { InstructionType } from './instruction.ts';

/** `COPY [--from= --chown= --chmod=] source … destination`, or the words as JSON. */
export const copy: InstructionType<CopyRequest, BuildStage> = {
  read(line) {
    const { from, ...owner } = readFlags(
      line.name,
      line.flags,
      ['from', 'chown', 'chmod'],
      ['link', 'parents', 'exclude'],
    );
    return readCopy(line, 'COPY', { ...owner, ...(from !== undefined && { from }) });
  },
  perform: performCopy,
};

export function readCopy(
  { rest, heredocs }: InstructionLine,
  instruction: CopyRequest['instruction'],
  {
    from,
    chown = '',
    chmod = '',
  }: { readonly from?: string; readonly chown?: string; readonly chmod?: string },
): CopyRequest {
  const words = readList(rest);
  const destination = words.at(-1);
  if (words.length < 2 || destination === undefined) {
    throw new DockerfileProblem(
      `${instruction} requires at least two arguments, but only ${words.length} was provided.`,
    );
  }
  if (destination.startsWith('<<') && heredocs.length > 0) {
    throw new DockerfileProblem(`${instruction} cannot accept a heredoc as a destination`);
  }
  const sources = words.slice(0, -1).filter((word) => heredocs.length === 0 || !word.startsWith('<<'));
  return { instruction, sources, destination, contents: heredocs, from, chown, chmod };
}

export async function performCopy(stage: BuildStage, request: CopyRequest): Promise<void> {
  const { sources, destination, chown, chmod, contents } = request;
  await stage.copy({
    ...request,
    sources: sources.map((word) => stage.expand(word)),
    destination: stage.expand(destination),
    contents: contents.map((one) => (one.expands ? { ...one, content: stage.expandText(one.content) } : one)),
    chown: stage.expand(chown),
    chmod: stage.expand(chmod),
  });
}
