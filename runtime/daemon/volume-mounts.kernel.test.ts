import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { hasMountSetattr } from '../sys/mount-setattr.ts';
import { describeVolumes, image } from './volumes-suite.ts';

const client = await execa('docker', ['--version'], { reject: false });
const majorVersion = Number(/version (\d+)/.exec(String(client.stdout))?.[1]);

describeVolumes('mounts of volumes, binds and tmpfs', (world) => {
  const { cli, lines, say, background, mountsOf, refused } = world;

  test("inspect shows the mounts in Docker's way", async () => {
    const host = join(world.folder, 'shown');
    await background(
      'shown',
      '-v',
      'data:/data',
      '-v',
      `${host}:/bind:ro`,
      '--mount',
      'type=tmpfs,dst=/memory',
    );
    const volume = (name: string) => ({
      Name: name,
      Source: join(world.daemon.dataRoot, 'volumes', name, '_data'),
    });
    // The client sends its -v options in any order.
    const found: readonly { Destination: string; Name: string }[] = await mountsOf('shown');
    const sorted = found.toSorted((a, b) => (a.Destination < b.Destination ? -1 : 1));
    const anonymous = sorted.find(({ Destination }) => Destination === '/declared')?.Name ?? '';
    expect(sorted).toEqual([
      { Type: 'bind', Source: host, Destination: '/bind', Mode: 'ro', RW: false, Propagation: 'rprivate' },
      {
        Type: 'volume',
        ...volume('data'),
        Destination: '/data',
        Driver: 'local',
        Mode: 'z',
        RW: true,
        Propagation: '',
      },
      {
        Type: 'volume',
        ...volume(anonymous),
        Destination: '/declared',
        Driver: 'local',
        Mode: '',
        RW: true,
        Propagation: '',
      },
      { Type: 'tmpfs', Source: '', Destination: '/memory', Mode: '', RW: true, Propagation: '' },
    ]);
    expect(await lines('ps', '-q', '--filter', 'volume=data')).toHaveLength(1);
    expect(await lines('ps', '-q', '--filter', 'volume=/bind')).toHaveLength(1);
    expect(await lines('ps', '-q', '--filter', 'volume=other')).toEqual([]);
  });

  test.each([
    [['--tmpfs', '/t:size=1m,mode=711'], '711 rw,nosuid,nodev,noexec,relatime,size=1024k,mode=711'],
    [
      ['--mount', 'type=tmpfs,dst=/t,tmpfs-size=1048576,tmpfs-mode=0711'],
      '711 rw,nosuid,nodev,noexec,relatime,size=1024k,mode=711',
    ],
    [['--tmpfs', '/t:exec,ro'], /^1777 ro,nosuid,nodev,relatime/],
  ])('a tmpfs by %j', async (flags, wanted) => {
    const found = await say(flags, 'echo $(stat -c %a /t) $(grep " /t " /proc/mounts)');
    const [mode, , , , options] = found.split(' ');
    expect(`${mode} ${options}`).toEqual(expect.stringMatching(wanted));
  });

  // Before Linux 5.12 only the mount itself can be read-only.
  const below = hasMountSetattr() ? 'ro' : 'rw';
  // The client's word since version 25, before that bind-nonrecursive.
  const alone = majorVersion < 25 ? 'bind-nonrecursive' : 'bind-recursive=disabled';

  test.each([
    [['-v', 'SRC:/b:ro'], `ro ${below}`],
    [['--mount', 'type=bind,src=SRC,dst=/b,readonly'], `ro ${below}`],
    [['-v', 'SRC:/b'], 'rw rw'],
    [['--mount', `type=bind,src=SRC,dst=/b,${alone}`], 'rw'],
  ])('a bind by %j is, with what is mounted below it: %s', async (flags, wanted) => {
    const source = join(world.folder, 'tree');
    await mkdir(join(source, 'below'), { recursive: true });
    await execa('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'below')]);
    try {
      const script =
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
        'while read -r a point c options rest; do case $point in /b*) echo ${options%%,*};; esac; done < /proc/mounts';
      const found = await say(
        flags.map((flag) => flag.replace('SRC', source)),
        script,
      );
      expect(found.split('\n').join(' ')).toBe(wanted);
    } finally {
      await execa('umount', [join(source, 'below')]);
    }
  });

  test('ReadOnlyNonRecursive leaves what is mounted below as it is', async () => {
    const source = join(world.folder, 'tree');
    await mkdir(join(source, 'below'), { recursive: true });
    await execa('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'below')]);
    try {
      const BindOptions = { ReadOnlyNonRecursive: true };
      const container = await world.daemon.docker.createContainer({
        Image: image,
        Cmd: ['sh', '-c', 'touch /b/below/x && ! touch /b/x'],
        HostConfig: {
          NetworkMode: 'none',
          Mounts: [{ Type: 'bind', Source: source, Target: '/b', ReadOnly: true, BindOptions } as never],
        },
      });
      await container.start();
      expect(await container.wait()).toEqual({ StatusCode: 0 });
    } finally {
      await execa('umount', [join(source, 'below')]);
    }
  });

  test('propagation needs a mount that is shared; with it, mounts of the host come and go in the container', async () => {
    const source = join(world.folder, 'shared');
    await mkdir(join(source), { recursive: true });
    await execa('mount', ['-t', 'tmpfs', 'tmpfs', source]);
    try {
      await execa('mount', ['--make-private', source]);
      for (const [word, kind] of [
        ['rshared', 'shared'],
        ['rslave', 'shared or slave'],
      ] as const) {
        expect(
          await refused('run', '--rm', '--network=none', '-v', `${source}:/b:${word}`, image, 'true'),
        ).toContain(`path ${source} is mounted on ${source} but it is not a ${kind} mount`);
      }
      await execa('mount', ['--make-shared', source]);
      await mkdir(join(source, 'late'));
      await background('slave', '-v', `${source}:/b:rslave`);
      await execa('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'late')]);
      expect((await cli('exec', 'slave', 'grep', '-c', ' /b/late ', '/proc/mounts')).stdout).toBe('1');
      await execa('umount', [join(source, 'late')]);
      expect((await cli('exec', 'slave', 'grep', '-c', ' /b/late ', '/proc/mounts')).stdout).toBe('0');
      await cli('rm', '-f', 'slave');
    } finally {
      await execa('umount', [source]);
    }
  });

  test('a missing source is made for -v and refused for --mount', async () => {
    const missing = join(world.folder, 'missing', 'deep');
    expect(await refused('create', '--mount', `type=bind,src=${missing},dst=/b`, image)).toContain(
      `invalid mount config for type "bind": bind source path does not exist: ${missing}`,
    );
    expect(await say(['-v', `${missing}:/b`], 'echo x > /b/file')).toBe('');
    expect(await refused('run', '--network=none', '-v', `${missing}/file/below:/b`, image, 'true')).toContain(
      `error while creating mount source path '${missing}/file/below'`,
    );
    expect(await readFile(join(missing, 'file'), 'utf8')).toBe('x\n');
    expect(await say(['-v', `${join(missing, 'file')}:/some/new/place`], 'cat /some/new/place')).toBe('x');
  });

  test.each([
    ['/to-etc', '/etc'],
    ['/up', '/etc'],
    ['/to-etc/new', '/etc/new'],
    ['/up/../../..', undefined],
  ])(
    'a mount point %s leads, through the links of the image, inside the container alone',
    async (place, wanted) => {
      const before = await readdir('/etc');
      const flags = ['-v', `data:${place}:nocopy`];
      if (wanted === undefined)
        expect(await refused('create', ...flags, image)).toContain("destination can't be '/'");
      else expect(await say(flags, `grep -c " ${wanted} " /proc/mounts`)).toBe('1');
      expect(await readdir('/etc')).toEqual(before);
    },
  );

  test('a volume over a file of the image is refused, and leaves nothing', async () => {
    expect(await refused('create', '-v', 'data:/plain', image)).toContain(
      'cannot mount volume over existing file, file exists /plain',
    );
    expect(await lines('ps', '-aq')).toEqual([]);
  });

  test('cp sees volumes and binds, of a container that runs and of one that does not; read-only ones are not written', async () => {
    const host = join(world.folder, 'copied');
    await mkdir(host, { recursive: true });
    const file = join(world.folder, 'one');
    await writeFile(file, 'one\n');
    await cli(
      'create',
      '--name',
      'still',
      '-v',
      'data:/data',
      '-v',
      'new:/new/place',
      '-v',
      `${host}:/ro:ro`,
      image,
    );
    await background('live', '--volumes-from', 'still', '--tmpfs', '/memory');
    for (const name of ['still', 'live']) {
      for (const place of ['/data/', '/new/place/', '/tmp/']) {
        expect(await cli('cp', file, `${name}:${place}${name}`)).toMatchObject({ exitCode: 0, stderr: '' });
        const back = join(world.folder, 'back');
        expect(await cli('cp', `${name}:${place}${name}`, back)).toMatchObject({ exitCode: 0, stderr: '' });
        expect(await readFile(back, 'utf8')).toBe('one\n');
      }
      expect(await refused('cp', file, `${name}:/ro/x`)).toContain('mounted volume is marked read-only');
    }
    expect((await cli('cp', file, 'live:/memory/x')).exitCode).toBe(0);
    expect((await cli('exec', 'live', 'ls', '/data', '/new/place', '/memory')).stdout.split('\n')).toEqual(
      expect.arrayContaining(['still', 'live', 'x']),
    );
    // Neither the changes nor an image of it has what is in volumes.
    const changed = ['A /declared', 'A /memory', 'A /new', 'A /new/place', 'A /ro', 'C /tmp', 'A /tmp/live'];
    expect(await lines('diff', 'live')).toEqual(changed);
    expect(await readdir(host)).toEqual([]);
  });

  test('cp does not follow a link that the volume has out of it', async () => {
    await background('live', '-v', 'data:/data:nocopy');
    await cli('exec', 'live', 'ln', '-s', world.folder, '/data/out');
    await writeFile(join(world.folder, 'secret'), 'x');
    // As the client says it since version 23, and before.
    expect(await refused('cp', 'live:/data/out/secret', '-')).toMatch(
      /Could not find the file|No such container:path/,
    );
  });

  test('cp goes into a volume behind a link of the image, of a container that runs and of one that does not', async () => {
    await background('live', '-v', 'data:/to-etc:nocopy', '-v', 'other:/dangling');
    await writeFile(join(world.folder, 'into-a-volume'), 'x');
    const source = join(world.folder, 'into-a-volume');
    for (const place of ['/to-etc/', '/dangling/']) {
      await cli('cp', source, `live:${place}running`);
      await cli('stop', '-t', '0', 'live');
      await cli('cp', source, `live:${place}stopped`);
      await cli('start', 'live');
    }
    for (const volume of ['data', 'other'])
      expect(await say(['-v', `${volume}:/v`], 'cd /v; ls running stopped')).toBe('running\nstopped');
  });

  test('a part of a volume is mounted, and not what a link in it leads to', async () => {
    await say(['-v', 'data:/data:nocopy'], 'touch /data/top; ln -s /etc /data/link; ln -s sub /data/inside');
    const volume = join(world.daemon.dataRoot, 'volumes', 'data', '_data');
    await mkdir(join(volume, 'sub'));
    await writeFile(join(volume, 'sub', 'file'), '');
    await symlink('../../../../../..', join(volume, 'out'));
    const start = async (Subpath: string) => {
      const container = await world.daemon.docker.createContainer({
        Image: image,
        Cmd: ['ls', '/part'],
        HostConfig: {
          NetworkMode: 'none',
          Mounts: [{ Type: 'volume', Source: 'data', Target: '/part', VolumeOptions: { Subpath } } as never],
        },
      });
      await container.start();
      await container.wait();
      return (await cli('logs', container.id)).stdout.trim().split('\n');
    };
    expect(await start('sub')).toEqual(['file']);
    expect(await start('inside')).toEqual(['file']);
    // Above the volume's top is the volume's top.
    expect(await start('out')).toEqual(['inside', 'link', 'out', 'sub', 'top']);
    await expect(start('link')).rejects.toThrow(/cannot access path link/);
    await expect(start('none')).rejects.toThrow(/cannot access path none.*no such file or directory/);
  });
});
