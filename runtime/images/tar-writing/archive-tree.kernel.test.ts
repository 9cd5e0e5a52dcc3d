import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mknod } from '../../sys/mknod.ts';
import { setRawTimes } from '../../sys/raw-path.ts';
import { setXattr } from '../../sys/xattr.ts';
import { piecesOf } from '../tar-fixture.ts';
import { readTar } from '../tar-reader.ts';
import { untar } from '../untar.ts';
import { archiveChanges, archiveTree } from './archive-tree.ts';
import { walkChanges } from './walk.ts';

const reason = process.getuid?.() === 0 ? '' : ' (skipped: needs root to own files and make devices)';
const capability = Buffer.from('0100000280040000000000000000000000000000', 'hex');

describe.skipIf(reason !== '')(`archives of trees${reason}`, () => {
  let folder: string;
  let tree: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hull-archive-'));
    tree = join(folder, 'tree');
    fill(tree);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const make = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(path);
    return path;
  };

  test('a tree of everything comes back as it was, and gives the same bytes again', async () => {
    const first = await bytesOf(archiveTree(tree));
    const copy = make('copy');
    const { warnings } = await untar(piecesOf(first), copy);
    expect(warnings).toEqual([]);
    expect(await bytesOf(archiveTree(copy))).toEqual(first);
    expect(await names(first)).toEqual([
      'directory dev/',
      'block dev/disk',
      'character dev/null',
      'file empty',
      'directory far/',
      'file file',
      'link hard',
      'file ping',
      'fifo pipe',
      'file sparse',
      'directory sticky/',
      'symlink sticky/link',
      'file sticky/\xff\n',
    ]);
  });

  test('GNU tar reads it: names, modes, owners, times, links, devices and attributes', async () => {
    const copy = make('copy');
    writeFileSync(join(folder, 'tree.tar'), await bytesOf(archiveTree(tree)));
    execFileSync('tar', [
      ...['-x', '-p', '--numeric-owner', '--xattrs', '--xattrs-include=*'],
      ...['-f', join(folder, 'tree.tar'), '-C', copy],
    ]);
    expect(sha(await bytesOf(archiveTree(copy)))).toBe(sha(await bytesOf(archiveTree(tree))));
  });

  test('changes are named exactly, without parents that are not', async () => {
    const parent = join(folder, 'parent');
    execFileSync('cp', ['-a', '--', tree, parent]);
    expect(await changes(tree, parent)).toEqual([]);
    writeFileSync(join(tree, 'far/new'), 'new');
    rmSync(join(tree, 'file'));
    chmodSync(join(tree, 'empty'), 0o600);
    renameSync(join(tree, 'ping'), join(tree, 'pong'));
    rmSync(join(tree, 'dev'), { recursive: true });
    writeFileSync(join(tree, 'dev'), 'was a folder');
    rmSync(join(tree, 'pipe'));
    mkdirSync(join(tree, 'pipe'));
    writeFileSync(join(tree, 'pipe/inner'), 'x');
    setXattr(join(tree, 'sparse'), 'user.note', Buffer.from('x'));
    // A folder whose time alone is another: something was made in it and is gone again.
    writeFileSync(join(tree, 'sticky/gone'), '');
    rmSync(join(tree, 'sticky/gone'));
    expect(await changes(tree, parent)).toEqual([
      'C dev',
      'C empty',
      'C far',
      'A far/new',
      'D file',
      'D ping',
      'C pipe',
      'A pipe/inner',
      'A pong',
      'C sparse',
    ]);
    await untar(piecesOf(await bytesOf(archiveChanges(tree, parent))), parent);
    expect(await changes(tree, parent)).toEqual([]);
  });

  test('a replaced tree, a deep change and a changed root come through as a layer', async () => {
    const parent = join(folder, 'parent');
    execFileSync('cp', ['-a', '--', tree, parent]);
    rmSync(join(tree, 'sticky'), { recursive: true });
    mkdirSync(join(tree, 'sticky/a/b'), { recursive: true });
    writeFileSync(join(tree, 'sticky/a/b/c'), 'deep');
    chmodSync(tree, 0o700);
    const found = await changes(tree, parent);
    expect(found).toEqual([
      'C ',
      'C sticky',
      'A sticky/a',
      'A sticky/a/b',
      'A sticky/a/b/c',
      'D sticky/link',
      'D sticky/\xff\n',
    ]);
    await untar(piecesOf(await bytesOf(archiveChanges(tree, parent))), parent);
    expect(await changes(tree, parent)).toEqual([]);
  });

  test('a file whose name marks a deletion cannot be in a layer', async () => {
    writeFileSync(join(tree, '.wh.file'), '');
    await expect(bytesOf(archiveChanges(tree, undefined))).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('".wh.file"'),
    });
  });

  test('a link that takes the place of a folder during the walk leads nowhere', async () => {
    const outside = make('outside');
    writeFileSync(join(outside, 'secret'), 'x');
    mkdirSync(join(tree, 'zz/victim'), { recursive: true });
    const seen: string[] = [];
    for await (const change of walkChanges(tree, undefined)) {
      if (change.kind === 'D') continue;
      seen.push(change.entry.path);
      if (change.entry.path !== 'zz/victim') continue;
      rmSync(join(tree, 'zz/victim'), { recursive: true });
      symlinkSync(outside, join(tree, 'zz/victim'));
    }
    expect(seen).toContain('zz/victim');
    expect(seen.filter((path) => path.includes('secret'))).toEqual([]);
  });

  test('a file that becomes shorter while it is read is filled up with zeros', async () => {
    const path = join(tree, 'large');
    writeFileSync(path, Buffer.alloc(3_000_000, 'y'));
    const chunks: Uint8Array[] = [];
    for await (const chunk of archiveTree(tree)) {
      chunks.push(chunk);
      truncateSync(path, 300_000);
    }
    for await (const entry of readTar(piecesOf(Buffer.concat(chunks)))) {
      if (entry.name === 'large') expect(entry.size).toBe(3_000_000);
    }
  });
});

function fill(root: string): void {
  mkdirSync(root);
  for (const name of ['dev', 'sticky', 'far']) mkdirSync(join(root, name));
  writeFileSync(join(root, 'file'), 'content\n');
  chmodSync(join(root, 'file'), 0o6755);
  linkSync(join(root, 'file'), join(root, 'hard'));
  writeFileSync(join(root, 'empty'), '');
  chownSync(join(root, 'empty'), 4_294_967_294, 3_000_000_000);
  writeFileSync(join(root, 'ping'), 'program');
  chmodSync(join(root, 'ping'), 0o755);
  setXattr(join(root, 'ping'), 'security.capability', capability);
  setXattr(join(root, 'ping'), 'user.note', Buffer.from([0, 255, 10]));
  writeFileSync(join(root, 'sparse'), '');
  truncateSync(join(root, 'sparse'), 1_000_000);
  writeFileSync(Buffer.from(`${root}/sticky/\xff\n`, 'latin1'), 'bytes');
  symlinkSync('/nowhere/at/all', join(root, 'sticky/link'));
  lutimesSync(join(root, 'sticky/link'), 1, 1_600_000_000);
  chmodSync(join(root, 'sticky'), 0o1777);
  mknod(join(root, 'dev/null'), 'character', 0o666, { major: 1, minor: 3 });
  mknod(join(root, 'dev/disk'), 'block', 0o660, { major: 259, minor: 65_537 });
  mknod(join(root, 'pipe'), 'fifo', 0o622);
  // Neither of these is content: a socket, and what a union file system marks a deletion with.
  const server = createServer().listen(join(root, 'socket'));
  server.unref();
  mknod(join(root, 'whiteout'), 'character', 0, { major: 0, minor: 0 });
  utimesSync(join(root, 'sparse'), 1, 1_500_000_000);
  setRawTimes(Buffer.from(join(root, 'file')), -5n, 123_456_789);
  setRawTimes(Buffer.from(join(root, 'far')), 1_700_000_000n, 5);
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

async function names(archive: Buffer): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { type, name } of readTar(piecesOf(archive))) found.push(`${type} ${name}`);
  return found;
}

async function changes(root: string, parent: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const change of walkChanges(root, parent)) {
    if (change.kind === 'D') found.push(`D ${change.folder}${change.folder && '/'}${change.name}`);
    else found.push(`${change.kind} ${change.entry.path}`);
  }
  return found;
}

const sha = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
