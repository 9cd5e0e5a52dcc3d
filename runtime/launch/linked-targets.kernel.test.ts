import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SpecMount } from '../base/oci.ts';
import { holdMounts } from './hold-mounts.ts';
import { launch } from './launch.ts';
import { dockerMounts, LaunchFixture, titleSuffix, whyNoLaunches } from './test-fixture.ts';
import { watchExit } from './watch-exit.ts';

/** Links of the image by their paths, a mount point, and what of the root it then is. */
type Row = readonly [name: string, links: Readonly<Record<string, string>>, mountPoint: string, made: string];

const rows: readonly Row[] = [
  ['an absolute link', { 'at/link': '/no/where' }, '/at/link', 'no/where'],
  ['a relative link', { 'at/link': 'no/where' }, '/at/link', 'at/no/where'],
  ['a link that climbs', { 'at/link': '../no/where' }, '/at/link', 'no/where'],
  ['a link that climbs out', { 'at/link': '../../../../../no/../where' }, '/at/link', 'where'],
  ['a link to a link to nothing', { one: '/two/x', two: 'three//./four' }, '/one', 'three/four/x'],
  ['a path behind a link to nothing', { link: '/no//where/' }, '/link/in/it', 'no/where/in/it'],
  ['a link into a folder that is there', { link: '/etc/new' }, '/link', 'etc/new'],
  ['a name of 255 bytes', { link: `/${'n'.repeat(255)}/x` }, '/link', `${'n'.repeat(255)}/x`],
];

const tooFar: readonly (readonly [name: string, links: Row[1], mountPoint: string, code: string])[] = [
  ['links in a circle', { one: 'two', two: 'one' }, '/one', 'ELOOP'],
  ['links in a circle on the way', { one: 'two', two: 'one/x' }, '/one/x', 'ELOOP'],
  ['a link to what is behind a file', { link: 'bin/busybox/x' }, '/link', 'ENOTDIR'],
  ['a name of 256 bytes', { link: 'n'.repeat(256) }, '/link', 'ENAMETOOLONG'],
  [
    'more than 40 links',
    Object.fromEntries(Array.from({ length: 45 }, (_, index) => [`l${index}`, `l${index + 1}`])),
    '/l0',
    'ELOOP',
  ],
  ['a link into what cannot be written', { link: '/proc/no/where' }, '/link', 'ENOENT'],
];

describe.skipIf(whyNoLaunches !== undefined)(`mount points that are links to nothing${titleSuffix}`, () => {
  async function prepare(links: Row[1]) {
    const fixture = await LaunchFixture.create();
    await mkdir(join(fixture.dir, 'root/at'));
    await mkdir(join(fixture.dir, 'source'));
    await writeFile(join(fixture.dir, 'source/file'), 'mounted\n');
    for (const [path, target] of Object.entries(links))
      await symlink(target, join(fixture.dir, 'root', path));
    return fixture;
  }

  const mountsOf = (fixture: LaunchFixture, mountPoint: string): Readonly<Record<string, SpecMount>> => ({
    'a folder': { destination: mountPoint, type: 'bind', source: join(fixture.dir, 'source'), options: [] },
    'a shared folder': {
      destination: mountPoint,
      type: 'bind',
      source: join(fixture.dir, 'source'),
      options: ['rbind', 'rshared'],
    },
    'a file': {
      destination: mountPoint,
      type: 'bind',
      source: join(fixture.dir, 'source/file'),
      options: [],
    },
    'a tmpfs': { destination: mountPoint, type: 'tmpfs', source: 'tmpfs', options: [] },
  });

  const start = async (fixture: LaunchFixture, mount: SpecMount, script: string) => {
    await launch(
      fixture.request(['sh', '-c', script], { root: 'bind', spec: { mounts: [...dockerMounts, mount] } }),
    );
    expect(await watchExit(fixture.runDir)).not.toBe('lost');
    return await fixture.output();
  };

  for (const what of ['a folder', 'a shared folder', 'a file', 'a tmpfs'])
    it.each(rows)(`${what} at %s`, async (_, links, mountPoint, made) => {
      await using fixture = await prepare(links);
      const mount = mountsOf(fixture, mountPoint)[what];
      if (!mount) throw new Error('unreachable');
      const look = `cat ${mountPoint}${what.endsWith('folder') ? '/file' : ''} 2>&1; cut -d" " -f5 /proc/self/mountinfo | grep -cx '/${made}'`;
      const { stdout } = await start(fixture, mount, look);
      expect(stdout).toBe(what === 'a tmpfs' ? `cat: read error: Is a directory\n1\n` : 'mounted\n1\n');
      expect(lstatSync(join(fixture.dir, 'root', made)).isFile()).toBe(what === 'a file');
      for (const [path, target] of Object.entries(links)) {
        expect(lstatSync(join(fixture.dir, 'root', path)).isSymbolicLink()).toBe(true);
        if (target.startsWith('/no')) expect(existsSync('/no')).toBe(false);
      }
      expect(readdirSync(dirname(fixture.dir))).not.toContain('where');
    });

  it.each(tooFar)('an error for %s', async (_, links, mountPoint, code) => {
    await using fixture = await prepare(links);
    for (const mount of Object.values(mountsOf(fixture, mountPoint)))
      await expect(start(fixture, mount, 'true')).rejects.toThrow(
        new RegExp(`(mount .* at|make (file|folder)) "${mountPoint}": ${code}`),
      );
  });

  it('several, one in what is mounted at another, and the working folder', async () => {
    await using fixture = await prepare({ first: '/one', second: '/one/two', cwd: 'deep/er' });
    const source = join(fixture.dir, 'source');
    const bind = (destination: string) => ({ destination, type: 'bind', source, options: ['rbind'] });
    await launch(
      fixture.request(['sh', '-c', 'pwd -P; ls /one /one/two'], {
        root: 'bind',
        process: { cwd: '/cwd' },
        spec: { mounts: [...dockerMounts, bind('/first'), bind('/second')] },
      }),
    );
    expect(await watchExit(fixture.runDir)).not.toBe('lost');
    const { stdout, stderr } = await fixture.output();
    expect([stdout, stderr]).toEqual(['/deep/er\n/one:\nfile\ntwo\n\n/one/two:\nfile\ntwo\n', '']);
    expect(readdirSync(source)).toEqual(['file', 'two']);
  });

  it('a held tree has them as well', async () => {
    await using fixture = await prepare({ link: '/no/where' });
    const { 'a folder': mount } = mountsOf(fixture, '/link');
    if (!mount) throw new Error('unreachable');
    const root = { type: 'bind', source: join(fixture.dir, 'root'), target: '', options: [] };
    await using held = await holdMounts([root], { inside: [mount] });
    expect(readdirSync(join(held.path, 'no/where'))).toEqual(['file']);
  });
});
