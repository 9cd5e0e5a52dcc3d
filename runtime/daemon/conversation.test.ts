import { PassThrough, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { writeFramed } from './conversation.ts';

test('a frame says its stream and its length', async () => {
  const output = new PassThrough();
  const bytes = buffer(output);
  await writeFramed(output, 'stdout', Buffer.from('hello'), AbortSignal.timeout(1000));
  await writeFramed(output, 'stderr', Buffer.from('oh'), AbortSignal.timeout(1000));
  output.end();
  expect(await bytes).toEqual(Buffer.from('\x01\0\0\0\0\0\0\x05hello\x02\0\0\0\0\0\0\x02oh', 'latin1'));
});

test.each([10, 16_384, 65_536, 300_000])('frames of %i bytes get through a slow client', async (size) => {
  let taken = 0;
  const output = new Writable({
    highWaterMark: 16_384,
    write: (chunk: Buffer, _, done) => {
      taken += chunk.length;
      setImmediate(done);
    },
  });
  const signal = new AbortController().signal;
  for (let round = 0; round < 20; round++) await writeFramed(output, 'stdout', Buffer.alloc(size), signal);
  await new Promise<void>((resolve) => output.end(resolve));
  expect(taken).toBe(20 * (size + 8));
});

test('a client that takes nothing and leaves ends the wait', async () => {
  const output = new Writable({ highWaterMark: 1, write: () => undefined });
  const gone = new AbortController();
  setTimeout(() => gone.abort(), 10);
  await writeFramed(output, 'stdout', Buffer.alloc(100), gone.signal);
  expect(gone.signal.aborted).toBe(true);
});
