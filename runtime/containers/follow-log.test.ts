import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { logFrame } from '../launch/test-log-frame.ts';
import { followLog } from './follow-log.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hull-follow-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('what a container wrote is read, also where it was removed before anybody asked for the first frame', async () => {
  const path = join(folder, 'log');
  const ended = Promise.withResolvers<void>();
  const { signal } = new AbortController();
  const frames = await followLog({ path, skip: 0, ended: ended.promise, signal });
  await appendFile(path, logFrame('stdout', 'a'));
  await appendFile(path, logFrame('stdout', 'b'));
  await rm(folder, { recursive: true });
  ended.resolve();
  const said: string[] = [];
  for await (const { data } of frames) said.push(String(data));
  expect(said).toEqual(['a', 'b']);
});
