import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { describe, expect, test, vi } from 'vitest';
import { isOnPath } from '../storage/on-path.ts';
import { decompress } from './decompress.ts';
import { piecesOf } from './tar-fixture.ts';

const plain = Buffer.concat([Buffer.from('some text, '.repeat(20_000)), randomBytes(200_000)]);

async function unpacked(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompress(source)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The programs that this process has started and that are still there. */
async function children(): Promise<readonly string[]> {
  const own = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')),
  );
  return own.filter((stat) => new RegExp(`^\\d+ \\((xz|bzip2)\\) \\w ${process.pid} `).test(stat));
}

describe.each(['bzip2', 'xz'])('%s', async (name) => {
  const reason = (await isOnPath(name)) ? '' : ` (skipped: no program ${name})`;
  const packed = async (data: Buffer): Promise<Buffer> => {
    const { stdout } = await execa(name, ['-c'], { input: data, encoding: 'buffer' });
    return Buffer.from(stdout);
  };

  test.skipIf(reason)(`is read, in one stream and in several${reason}`, async () => {
    const [data, first, rest] = await Promise.all(
      [plain, plain.subarray(0, 5000), plain.subarray(5000)].map(packed),
    );
    const several = Buffer.concat([first ?? expect.fail(), rest ?? expect.fail()]);
    for (const whole of [data ?? expect.fail(), several])
      expect((await unpacked(piecesOf(whole, 10_000))).equals(plain)).toBe(true);
  });

  test.skipIf(reason)(`damaged or cut is an error in the program's words${reason}`, async () => {
    const data = await packed(plain);
    const damaged = Buffer.from(data);
    damaged.fill(0xff, data.length >> 1);
    for (const bad of [damaged, data.subarray(0, data.length - 5)])
      await expect(unpacked(piecesOf(bad, 10_000))).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringMatching(`found damaged ${name} data \\(${name}: .+\\)`),
      });
    expect(await children()).toEqual([]);
  });

  test.skipIf(reason)(`a source that fails is told, and a reader may stop${reason}`, async () => {
    const data = await packed(plain);
    let released = false;
    async function* source(fails: boolean) {
      try {
        yield data.subarray(0, 100_000);
        if (fails) throw new Error('the line broke');
        yield data.subarray(100_000);
      } finally {
        released = true;
      }
    }
    await expect(unpacked(source(true))).rejects.toThrow('the line broke');
    released = false;
    for await (const _ of decompress(source(false))) break;
    expect(released).toBe(true);
    expect(await children()).toEqual([]);
  });

  test('without the program the error names it and its package', async () => {
    vi.stubEnv('PATH', '/nonexistent');
    try {
      const start = Buffer.from(name === 'xz' ? 'fd377a585a000004' : '425a683931415926', 'hex');
      await expect(unpacked(piecesOf(start, 10_000))).rejects.toMatchObject({
        kind: 'unsupported',
        message: expect.stringContaining(`no program ${name} on PATH`),
        hint: expect.stringContaining(name === 'xz' ? 'xz-utils' : 'bzip2'),
      });
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
