import type { Escape } from './directives.ts';
import { splitFlags } from './flags.ts';
import type { Heredoc } from './heredocs.ts';
import type { LogicalLine } from './logical-lines.ts';

/** An instruction cut into its name, flags and rest. */
export interface InstructionLine {
  /** In capitals. */
  readonly name: string;
  /** `--name=value`, unread. */
  readonly flags: readonly string[];
  /** What follows, without spaces at either end. */
  readonly rest: string;
  /** As it is shown: `Step 1/5 : <source>`. */
  readonly source: string;
  readonly line: number;
  readonly escapeMark: Escape;
  readonly heredocs: readonly Heredoc[];
}

export function readInstructionLine(
  { text, line, heredocs }: LogicalLine,
  escapeMark: Escape,
): InstructionLine {
  const source = text.trim();
  const [, word = '', all = ''] = /^(\S+)\s*(.*)$/s.exec(source) ?? [];
  const { flags, rest } = splitFlags(all, escapeMark);
  return { name: word.toUpperCase(), flags, rest: rest.trim(), source, line, escapeMark, heredocs };
}
