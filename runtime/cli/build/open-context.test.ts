import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decompress } from '../../images/decompress.ts';
import { tarOf } from '../../images/tar-fixture.ts';
import { readTar } from '../../images/tar-reader.ts';
import { openContext } from './open-context.ts';

describe('the context that hull build sends', () => {
  let root: string;
  let folder: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'hull-context-'));
    folder = join(root, 'context');
    await mkdir(join(folder, 'docs'), { recursive: true });
    await mkdir(join(folder, 'kept'));
    await writeFile(join(folder, 'Dockerfile'), 'FROM a');
    await writeFile(join(folder, '.dockerignore'), '*\n!kept\nkept/*.log\n');
    await writeFile(join(folder, 'docs', 'page'), 'p');
    await writeFile(join(folder, 'docs', 'Other'), 'FROM b');
    await writeFile(join(folder, 'kept', 'a'), 'a');
    await writeFile(join(folder, 'kept', 'b.log'), 'b');
    await symlink('/etc/passwd', join(folder, 'kept', 'link'));
    await writeFile(join(root, 'Outside'), 'FROM c');
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const sent = async (context: string, file?: string, input: Buffer | string = '') => {
    const { dockerfile, archive } = await openContext(context, file, Readable.from([Buffer.from(input)]));
    const names: string[] = [];
    const owners = new Set<number>();
    for await (const { name, uid, gid } of readTar(decompress(archive))) {
      names.push(name);
      owners.add(uid).add(gid);
    }
    expect([...owners]).toEqual([0]);
    return { dockerfile, names };
  };
  const kept = ['kept/', 'kept/a', 'kept/link'];

  it('is the folder without what is ignored; what the daemon needs goes along', async () => {
    expect(await sent(folder)).toEqual({
      dockerfile: 'Dockerfile',
      names: ['.dockerignore', 'Dockerfile', ...kept],
    });
    expect(await sent(folder, join(folder, 'docs', 'Other'))).toEqual({
      dockerfile: 'docs/Other',
      names: ['.dockerignore', 'docs/Other', ...kept],
    });
  });

  it('takes a Dockerfile from elsewhere, under a name that is ignored', async () => {
    for (const [file, input] of [
      [join(root, 'Outside'), ''],
      ['-', 'FROM d'],
    ] as const) {
      const { dockerfile, names } = await sent(folder, file, input);
      expect(dockerfile).toMatch(/^\.dockerfile\.[0-9a-f]{20}$/);
      expect(names).toEqual([...kept, dockerfile, '.dockerignore']);
    }
  });

  it('is what comes by standard input: an archive, or a Dockerfile alone', async () => {
    const tar = await tarOf([{ name: 'x', data: '1', uid: 0, gid: 0 }]);
    expect(await sent('-', undefined, tar)).toEqual({ dockerfile: 'Dockerfile', names: ['x'] });
    expect(await sent('-', 'x', gzipSync(tar))).toEqual({ dockerfile: 'x', names: ['x'] });
    expect(await sent('-', undefined, 'FROM a\n')).toEqual({
      dockerfile: 'Dockerfile',
      names: ['Dockerfile'],
    });
  });

  it.each<[string, string | undefined, string]>([
    ['/nowhere/at/all', undefined, 'found no folder "/nowhere/at/all"'],
    ['https://example.org/x.git', undefined, 'found the address https://example.org/x.git'],
    ['-', '-', 'standard input cannot be both'],
    ['-', 'Other', 'found no archive by standard input'],
    ['.', '/nowhere/Dockerfile', 'found no Dockerfile "/nowhere/Dockerfile"'],
  ])('%s with file %s is refused: %s', async (context, file, message) => {
    await expect(openContext(context, file, Readable.from([Buffer.from('FROM a')]))).rejects.toThrow(message);
  });
});
