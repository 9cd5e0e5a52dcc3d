import { expect, test } from 'vitest';
import { HullError, joinErrors } from './errors.ts';
import { createLog, errorText } from './log.ts';

test('lines below the level are not written; values with spaces are quoted, absent ones left out', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', write: (line) => lines.push(line), now: () => new Date(0) });
  log.debug('unseen');
  log.warn('two words', { id: 'ab12', none: undefined, text: 'with "quotes"', error: new Error('no luck') });
  expect(lines).toEqual([
    'time=1970-01-01T00:00:00.000Z level=warn msg="two words" id=ab12 text="with \\"quotes\\"" error="no luck"',
  ]);
});

test('an error is told with its hint, its cause, and what failed after it', () => {
  const cause = new Error('EBUSY');
  const error = new HullError('Cannot do it', { kind: 'busy', hint: 'Wait.', cause });
  expect(errorText(error)).toBe('Cannot do it (Wait.): EBUSY');
  expect(errorText(joinErrors(error, new Error('later')))).toContain('; also: later');
});
