import { readFlags } from '../dockerfile/flags.ts';
import type { InstructionLine } from '../dockerfile/instruction-line.ts';
import { DockerfileProblem } from '../dockerfile/problem.ts';
import { type Command, readCommand } from '../dockerfile/word-lists.ts';
import type { BuildStage } from '../stage.ts';
import type { InstructionType } from './instruction.ts';

/** `RUN words` or `RUN ["word", …]`: runs it in a container of the image so far, and keeps what it changes. */
export const run: InstructionType<Command, BuildStage> = {
  read(line) {
    readFlags(line.name, line.flags, [], ['mount', 'network', 'security', 'device']);
    if (line.rest === '') throw new DockerfileProblem('RUN requires at least one argument');
    return line.heredocs.length > 0 ? withHeredocs(line) : readCommand(line.rest);
  },
  async perform(stage, command) {
    await stage.run(command);
  },
};

/** A heredoc alone is the shell's script; others are handed to the shell as they stand, which knows them itself. */
function withHeredocs({ rest, heredocs }: InstructionLine): Command {
  const [first] = heredocs;
  if (first && heredocs.length === 1 && /^<<-?(["']?)[\w.]+\1$/.test(rest)) {
    if (first.content.startsWith('#!')) {
      throw new DockerfileProblem(
        `RUN <<${first.name} with a first line ${JSON.stringify(first.content.split('\n', 1)[0])} requires BuildKit: wanted words for the shell`,
      );
    }
    return { words: [first.content], isShell: true };
  }
  const texts = heredocs.map(({ content, name }) => `${content}${name}`);
  return { words: [[rest, ...texts].join('\n')], isShell: true };
}
