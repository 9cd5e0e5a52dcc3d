import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { askOnChange } from './watch-sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'hull-watch-'));
afterAll(() => rmSync(folder, { recursive: true }));

const changes: readonly [string, (path: string) => void][] = [
  ['is written', (path) => writeFileSync(path, 'other')],
  ['gets another time', (path) => utimesSync(path, 1, 1)],
  [
    'is replaced',
    (path) => {
      writeFileSync(`${path}.new`, '');
      renameSync(`${path}.new`, path);
    },
  ],
  ['goes', (path) => rmSync(path)],
];

it.each(changes)('asks again when a file %s', async (_, change) => {
  const path = join(folder, 'source');
  writeFileSync(path, '');
  let asked = 0;
  const ask = askOnChange([path], () => {
    asked += 1;
    return asked === 1;
  });
  expect([ask(), ask(), asked]).toEqual([true, true, 1]);
  change(path);
  await expect.poll(ask).toBe(false);
});
