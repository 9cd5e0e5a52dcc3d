import type { Outcome } from './schema.ts';

/** One glyph of width 1 per outcome; the word always stands beside it, so that colour is never alone. */
export const glyphs: Readonly<Record<Outcome, string>> = {
  pass: '✓',
  fail: '✗',
  skip: '○',
  flaky: '≈',
  infra: '!',
  missing: '?',
};
