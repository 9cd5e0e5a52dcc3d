import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ReadLogOptions, readLogFrames } from './log-frames.ts';
import { logFrame as frame } from './test-log-frame.ts';

describe('readLogFrames', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hull-log-'));
    path = join(dir, 'log');
  });
  afterEach(() => rm(dir, { recursive: true }));

  async function read(options?: ReadLogOptions): Promise<string[]> {
    const lines: string[] = [];
    for await (const { stream, time, data } of readLogFrames(path, options))
      lines.push(`${stream} ${time} ${data}`);
    return lines;
  }

  it('an absent log is empty', async () => {
    expect(await read()).toEqual([]);
  });

  it('gives stream, time and data of each frame', async () => {
    await writeFile(
      path,
      Buffer.concat([frame('stdout', 'a\n'), frame('stderr', 'bc', 2n), frame('stdout', '')]),
    );
    expect(await read()).toEqual(['stdout 1000000005 a\n', 'stderr 2000000005 bc', 'stdout 1000000005 ']);
    expect(await read({ skip: 2 })).toEqual(['stdout 1000000005 ']);
    expect(await read({ signal: AbortSignal.abort() })).toEqual([]);
  });

  it('waits for the rest of a frame, and passes over half a frame of an earlier monitor', async () => {
    const torn = frame('stdout', 'x'.repeat(70_000 - 10_000)).subarray(0, 50_000);
    await writeFile(path, Buffer.concat([frame('stdout', 'a'), torn]));
    expect(await read()).toEqual(['stdout 1000000005 a']);
    await writeFile(
      path,
      Buffer.concat([frame('stdout', 'a'), Buffer.from('HULF damaged'), frame('stderr', 'b')]),
    );
    expect(await read()).toEqual(['stdout 1000000005 a', 'stderr 1000000005 b']);
  });

  it('follows what is appended until the writer has ended, then gives the last of it', async () => {
    await writeFile(path, frame('stdout', 'a'));
    const ended = new AbortController();
    const lines: string[] = [];
    for await (const { data } of readLogFrames(path, { follow: true, ended: ended.signal })) {
      lines.push(String(data));
      if (lines.length === 1) await appendFile(path, frame('stdout', 'b'));
      if (lines.length === 2) {
        await appendFile(path, frame('stdout', 'c'));
        ended.abort();
      }
    }
    expect(lines).toEqual(['a', 'b', 'c']);
  });
});
