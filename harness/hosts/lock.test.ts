import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { takeLock } from './lock.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seatrial-lock-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const never = new AbortController().signal;

it('is held by one at a time, and tells the next that it waits', async () => {
  const path = join(folder, 'locks', 'one');
  const order: string[] = [];
  const first = await takeLock(path, { signal: never, onWait: () => order.push('first waits') });
  const { promise: waiting, resolve } = Promise.withResolvers<void>();
  const second = takeLock(path, {
    signal: never,
    onWait: () => {
      order.push('second waits');
      resolve();
    },
  }).then(async (lock) => {
    order.push('second has it');
    await lock[Symbol.asyncDispose]();
  });
  await waiting;
  order.push('first lets go');
  await first[Symbol.asyncDispose]();
  await second;
  expect(order).toEqual(['second waits', 'first lets go', 'second has it']);
});

it('stops waiting when aborted, and leaves the lock to its holder', async () => {
  const path = join(folder, 'two');
  const first = await takeLock(path, { signal: never, onWait: () => {} });
  const abort = new AbortController();
  const onWait = () => abort.abort(new Error('enough'));
  await expect(takeLock(path, { signal: abort.signal, onWait })).rejects.toThrow('enough');
  await first[Symbol.asyncDispose]();
  await (await takeLock(path, { signal: never, onWait: () => {} }))[Symbol.asyncDispose]();
});

it('is free again when its holder was killed', async () => {
  const path = join(folder, 'three');
  const holder = join(folder, 'holder.ts');
  const lock = new URL('lock.ts', import.meta.url).href;
  await writeFile(
    holder,
    `import { takeLock } from ${JSON.stringify(lock)};
await takeLock(${JSON.stringify(path)}, { signal: new AbortController().signal, onWait: () => {} });
process.send('held'); setInterval(() => {}, 1000);`,
  );
  const child = fork(holder, { execArgv: [] });
  await once(child, 'message');
  child.kill('SIGKILL');
  await (await takeLock(path, { signal: AbortSignal.timeout(5000), onWait: () => {} }))[
    Symbol.asyncDispose
  ]();
});
