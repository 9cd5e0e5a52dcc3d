import { HullError } from '../../base/errors.ts';
import { Directives, type Escape } from './directives.ts';
import { type Heredoc, heredocMarks, readHeredoc } from './heredocs.ts';
import { at } from './problem.ts';

/** One instruction as it stands, its continued lines joined. */
export interface LogicalLine {
  readonly text: string;
  /** Of the first physical line, counted from 1. */
  readonly line: number;
  readonly heredocs: readonly Heredoc[];
}

export interface LogicalLines {
  readonly escapeMark: Escape;
  readonly lines: readonly LogicalLine[];
  readonly warnings: readonly string[];
}

/** Cuts a Dockerfile into instructions: directives, comments, continuations, heredocs. Kind `invalid`. */
export function readLogicalLines(source: string): LogicalLines {
  const physical = source.replace(/^\uFEFF/, '').split(/\r?\n/);
  const directives = new Directives();
  const lines: LogicalLine[] = [];
  const warnings: string[] = [];
  for (let next = 0; next < physical.length; ) {
    const line = next + 1;
    const first = (physical[next++] ?? '').trimStart();
    if (at(line, () => directives.take(first)) || first === '' || isComment(first)) continue;
    const { escapeMark } = directives;
    let [text, goesOn] = cutContinuation(first, escapeMark);
    let hasEmpty = false;
    while (goesOn && next < physical.length) {
      const more = physical[next++] ?? '';
      if (isComment(more)) continue;
      if (more.trim() === '') {
        // The empty string after the file's last newline is no line.
        hasEmpty ||= next < physical.length;
        continue;
      }
      const [part, again] = cutContinuation(more, escapeMark);
      text += part;
      goesOn = again;
    }
    if (text.trim() === '') continue;
    if (hasEmpty) warnings.push(`[WARNING]: Empty continuation line found in:\n    ${text}`);
    const heredocs = at(line, () =>
      heredocMarks(text).map((mark) => {
        const { heredoc, end } = readHeredoc(mark, physical, next);
        next = end;
        return heredoc;
      }),
    );
    lines.push({ text, line, heredocs });
  }
  if (warnings.length > 0) {
    warnings.push('[WARNING]: Empty continuation lines will become errors in a future release.');
  }
  if (lines.length === 0) throw new HullError('file with no instructions', { kind: 'invalid' });
  return { escapeMark: directives.escapeMark, lines, warnings };
}

/** The line without its escape at the end, and whether it had one. An escaped escape is none. */
function cutContinuation(line: string, escapeMark: Escape): readonly [string, boolean] {
  const pattern = escapeMark === '\\' ? /(^|[^\\])\\[ \t]*$/ : /(^|[^`])`[ \t]*$/;
  const match = pattern.exec(line);
  return match ? [line.slice(0, match.index) + (match[1] ?? ''), true] : [line, false];
}

const isComment = (line: string): boolean => /^\s*#/.test(line);
