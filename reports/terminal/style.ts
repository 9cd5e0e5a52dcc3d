import pc from 'picocolors';
import { glyphs } from '../glyphs.ts';
import type { Outcome } from '../schema.ts';

export type Paint = (text: string) => string;

export interface Style {
  readonly outcome: Readonly<Record<Outcome, Paint>>;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly running: Paint;
}

export function createStyle(color: boolean): Style {
  const colors = pc.createColors(color);
  return {
    outcome: {
      pass: colors.green,
      fail: (text) => colors.bold(colors.red(text)),
      skip: colors.dim,
      flaky: colors.yellow,
      infra: colors.magenta,
      missing: colors.magenta,
    },
    bold: colors.bold,
    dim: colors.dim,
    running: colors.cyan,
  };
}

export function label(outcome: Outcome): string {
  return `${glyphs[outcome]} ${outcome}`;
}

/** NO_COLOR wins (https://no-color.org), then FORCE_COLOR, then whether someone looks at a terminal. */
export function wantsColor(env: Readonly<Record<string, string | undefined>>, isTTY: boolean): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR'] !== undefined) return env['FORCE_COLOR'] !== '0' && env['FORCE_COLOR'] !== 'false';
  return isTTY && env['TERM'] !== 'dumb';
}
