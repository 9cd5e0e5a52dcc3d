import { expect, test } from 'vitest';
import { ProgressText } from './progress-text.ts';

test('a change of status is told once; bytes change the screen alone', () => {
  const text = new ProgressText();
  expect(text.take({ status: 'Pulling from team/name', id: 'latest' })).toBe(
    'latest: Pulling from team/name',
  );
  expect(
    text.take({ status: 'Downloading', id: 'abc', progressDetail: { current: 0, total: 2_000_000 } }),
  ).toBe('abc: Downloading');
  const half = { status: 'Downloading', id: 'abc', progressDetail: { current: 1_000_000, total: 2_000_000 } };
  expect(text.take(half)).toBeUndefined();
  expect(text.screen(80)).toBe(
    `latest: Pulling from team/name\nabc: Downloading [${'='.repeat(15)}${' '.repeat(15)}] 1.0 MB of 2.0 MB`,
  );
  expect(text.take({ status: 'Pull complete', id: 'abc', progressDetail: {} })).toBe('abc: Pull complete');
  expect(text.take({ status: 'Digest: sha256:1' })).toBe('Digest: sha256:1');
  expect(text.screen(12)).toBe('latest: Pull\nabc: Pull co\nDigest: sha2');
});
