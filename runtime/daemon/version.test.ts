import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { hullVersion } from './version.ts';

test("the version in the code is the package's", async () => {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  expect(JSON.parse(text).version).toBe(hullVersion);
});
