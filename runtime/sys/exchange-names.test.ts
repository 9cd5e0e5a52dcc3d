import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exchangeNames } from './exchange-names.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hull-exchange-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('two files have each other’s name, or keep their own where the file system cannot', () => {
  const [one, other] = [join(folder, 'one'), join(folder, 'ü')];
  writeFileSync(one, '1');
  writeFileSync(other, '2');
  const done = exchangeNames(one, other);
  expect([readFileSync(one, 'utf8'), readFileSync(other, 'utf8')]).toEqual(done ? ['2', '1'] : ['1', '2']);
});

it('a missing file is an error with both names', () => {
  const [one, other] = [join(folder, 'one'), join(folder, 'other')];
  writeFileSync(one, '1');
  expect(() => exchangeNames(one, other)).toThrow(
    expect.objectContaining({ code: 'ENOENT', path: one, dest: other }),
  );
});
