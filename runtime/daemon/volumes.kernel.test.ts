import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dockerArchive, imageOf } from '../images/image-fixture.ts';
import type { FixtureEntry } from '../images/tar-fixture.ts';
import { readMountInfo } from '../kernel/mountinfo.ts';
import { TestDaemon, whyNoDaemon } from './daemon-fixture.ts';

const client = await execa('docker', ['--version'], { reject: false });
const reason = whyNoDaemon() || (client.failed ? 'no docker client' : '');
const image = 'hull/volumes:latest';

/** busybox, and at /data what a copy-up has to bring along; hostile links beside it. */
async function imageArchive(): Promise<Uint8Array> {
  const names = [
    'sh',
    'ls',
    'cat',
    'echo',
    'stat',
    'touch',
    'sleep',
    'grep',
    'mount',
    'readlink',
    'rm',
    'ln',
  ];
  const entries: FixtureEntry[] = [
    { name: 'bin/busybox', mode: 0o755, data: await readFile('/bin/busybox') },
    ...names.map((name) => ({ name: `bin/${name}`, type: 'symlink' as const, linkname: 'busybox' })),
    { name: 'data', type: 'directory', mode: 0o1770, uid: 1000, gid: 7 },
    { name: 'data/file', mode: 0o4711, uid: 5, data: 'of the image\n' },
    { name: 'data/hard', type: 'link', linkname: 'data/file' },
    { name: 'data/soft', type: 'symlink', linkname: '/etc/passwd' },
    { name: 'etc/marker', data: "the image's own /etc\n" },
    { name: 'to-etc', type: 'symlink', linkname: '/etc' },
    { name: 'up', type: 'symlink', linkname: '../../../../../../etc' },
    { name: 'plain', data: 'a file\n' },
    { name: 'tmp', type: 'directory', mode: 0o1777 },
  ];
  return await dockerArchive(
    await imageOf([entries], { Cmd: ['/bin/sh'], Volumes: { '/declared': {} } }),
    image,
  );
}

describe.skipIf(reason !== '')(`volumes${reason && ` (skipped: ${reason})`}`, () => {
  let daemon: TestDaemon;
  let docker: Docker;
  let folder: string;

  beforeAll(async () => {
    daemon = await TestDaemon.start('overlay');
    docker = daemon.docker;
    const loading = await docker.loadImage(Readable.from([await imageArchive()]));
    for await (const _ of loading);
    folder = await mkdtemp(join(tmpdir(), 'hull-binds-'));
  });
  afterEach(async () => {
    if (daemon.pid === 0) await daemon.up();
    const ids = await lines('ps', '-aq');
    if (ids.length > 0) await cli('rm', '-fv', ...ids);
    await cli('volume', 'prune', '-af');
    for (const name of await lines('volume', 'ls', '-q')) await cli('volume', 'rm', name);
    expect(await daemon.leftovers()).toEqual([]);
    expect(await readdir(join(daemon.dataRoot, 'volumes'))).toEqual([]);
    expect(hostMounts()).toEqual([]);
  });
  afterAll(async () => {
    await daemon[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
    expect(await daemon.kernelLeftovers()).toEqual([]);
  });

  const hostMounts = () => readMountInfo('self', daemon.folder).map(({ mountPoint }) => mountPoint);
  const cli = async (...args: string[]) =>
    await execa('docker', ['-H', `unix://${daemon.socketPath}`, ...args], {
      timeout: 60_000,
      killSignal: 'SIGKILL',
      reject: false,
    });
  const lines = async (...args: string[]) =>
    (await cli(...args)).stdout.split('\n').filter((line) => line !== '');
  /** What a shell in a container says; with the flags of `docker run`. */
  const say = async (flags: readonly string[], script: string): Promise<string> => {
    const { stdout, stderr } = await cli(
      'run',
      '--rm',
      '--network=none',
      ...flags,
      image,
      'sh',
      '-c',
      script,
    );
    return stderr === '' ? stdout : `${stdout}${stdout && '\n'}error: ${stderr.split('\n')[0] ?? ''}`;
  };
  const background = async (name: string, ...flags: string[]) => {
    const command = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];
    const { exitCode, stderr } = await cli(
      'run',
      '-d',
      '--network=none',
      '--name',
      name,
      ...flags,
      image,
      ...command,
    );
    expect([exitCode, stderr]).toEqual([0, '']);
  };
  const mountsOf = async (name: string) =>
    JSON.parse((await cli('inspect', '-f', '{{json .Mounts}}', name)).stdout);
  const refused = async (...args: string[]) => {
    const { exitCode, stderr } = await cli(...args);
    expect(exitCode).not.toBe(0);
    return stderr;
  };

  test.each([
    ['-v', 'data:/data'],
    ['--mount', 'type=volume,src=data,dst=/data'],
    ['-v', '/data'],
    ['--mount', 'type=volume,dst=/data'],
  ])(
    'an empty volume gets what the image has there, with owners, modes and hard links: %s %s',
    async (...flags) => {
      const look =
        'cd /data; stat -c "%n %a %u %g %h" . file hard; readlink soft; cat file; grep -c " /data " /proc/mounts';
      expect(await say(flags, look)).toBe(
        '. 1770 1000 7 2\nfile 4711 5 0 2\nhard 4711 5 0 2\n/etc/passwd\nof the image\n1',
      );
    },
  );

  test.each([
    ['a bind', ['-v', 'HOST:/data']],
    ['nocopy', ['-v', 'data:/data:nocopy']],
    ['volume-nocopy', ['--mount', 'type=volume,src=data,dst=/data,volume-nocopy']],
  ])('%s stays empty', async (_, flags) => {
    const host = join(folder, 'empty');
    await mkdir(host, { recursive: true });
    expect(
      await say(
        flags.map((flag) => flag.replace('HOST', host)),
        'ls /data',
      ),
    ).toBe('');
  });

  test('a volume outlives its containers and the daemon, whoever ends it, and is never filled twice', async () => {
    expect(await say(['-v', 'data:/data'], 'rm /data/file; echo own > /data/own')).toBe('');
    await daemon.kill();
    await daemon.up();
    expect(await say(['-v', 'data:/data'], 'cd /data; ls; cat own')).toBe('hard\nown\nsoft\nown');
    expect(await lines('volume', 'ls', '-q')).toEqual(['data']);
  });

  test('a create cut off by SIGKILL leaves no nameless volume behind, and none that is half full', async () => {
    for (let round = 0; round < 6; round++) {
      const creating = cli('create', '-v', 'data:/data', '-v', '/own', image);
      await sleep(Math.random() * 150);
      await daemon.kill();
      await creating;
      await daemon.up();
      const nameless = ['--filter', 'label=com.docker.volume.anonymous', '--filter', 'dangling=true'];
      expect(await lines('volume', 'ls', '-q', ...nameless)).toEqual([]);
      const containers = await lines('ps', '-aq');
      expect(await say(['-v', 'data:/data'], 'ls /data')).toBe('file\nhard\nsoft');
      if (containers.length > 0) await cli('rm', '-fv', ...containers);
      await cli('volume', 'rm', 'data');
    }
  });

  test('one that is in use is not removed, also after a crash of the daemon, and the container is named', async () => {
    await cli('create', '--name', 'user', '-v', 'data:/data', image);
    const [id = ''] = await lines('ps', '-aq', '--no-trunc');
    for (const crash of [false, true]) {
      if (crash) await daemon.kill();
      if (crash) await daemon.up();
      expect(await refused('volume', 'rm', 'data')).toContain(`remove data: volume is in use - [${id}]`);
      expect(await refused('volume', 'rm', '-f', 'data')).toContain('volume is in use');
      expect((await cli('volume', 'prune', '-af')).stdout).not.toContain('data');
    }
    await cli('rm', '-v', 'user');
    expect((await cli('volume', 'rm', 'data')).stdout).toBe('data');
    expect(await refused('volume', 'inspect', 'data')).toContain('get data: no such volume');
    expect((await cli('volume', 'rm', '-f', 'data')).exitCode).toBe(0);
  });

  test('a VOLUME of the image is an anonymous volume: it goes with --rm and rm -v, and stays after a plain rm', async () => {
    expect(await say([], 'touch /declared/x; ls /declared')).toBe('x');
    expect(await lines('volume', 'ls', '-q')).toEqual([]);
    for (const flag of ['-v', '-f']) {
      await background('holder');
      const [{ Name }] = await mountsOf('holder');
      expect(await lines('volume', 'ls', '-q')).toEqual([Name]);
      await cli('stop', '-t', '1', 'holder');
      await cli('rm', flag, 'holder');
      expect(await lines('volume', 'ls', '-q')).toEqual(flag === '-v' ? [] : [Name]);
    }
    expect((await cli('volume', 'prune', '-f')).stdout).toMatch(/Deleted Volumes:\n[0-9a-f]{64}\n/);
  });

  test('an anonymous volume that another container has by --volumes-from stays with that one', async () => {
    await background('first', '-v', '/own');
    await background('second', '--volumes-from', 'first:ro');
    await cli('exec', 'first', 'touch', '/own/x');
    expect((await cli('exec', 'second', 'ls', '/own')).stdout).toBe('x');
    expect((await cli('exec', 'second', 'touch', '/own/y')).stderr).toContain('Read-only file system');
    await cli('rm', '-fv', 'first');
    expect((await cli('exec', 'second', 'ls', '/own')).stdout).toBe('x');
    await cli('rm', '-fv', 'second');
    expect(await lines('volume', 'ls', '-q')).toEqual([]);
  });

  test("inspect shows the mounts in Docker's way", async () => {
    const host = join(folder, 'shown');
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
      Source: join(daemon.dataRoot, 'volumes', name, '_data'),
    });
    const found = await mountsOf('shown');
    const anonymous = found.at(-1).Name;
    expect(found).toEqual([
      {
        Type: 'volume',
        ...volume('data'),
        Destination: '/data',
        Driver: 'local',
        Mode: 'z',
        RW: true,
        Propagation: '',
      },
      { Type: 'bind', Source: host, Destination: '/bind', Mode: 'ro', RW: false, Propagation: 'rprivate' },
      { Type: 'tmpfs', Source: '', Destination: '/memory', Mode: '', RW: true, Propagation: '' },
      {
        Type: 'volume',
        ...volume(anonymous),
        Destination: '/declared',
        Driver: 'local',
        Mode: '',
        RW: true,
        Propagation: '',
      },
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

  test.each([
    [['-v', 'SRC:/b:ro'], 'ro ro'],
    [['--mount', 'type=bind,src=SRC,dst=/b,readonly'], 'ro ro'],
    [['-v', 'SRC:/b'], 'rw rw'],
    [['--mount', 'type=bind,src=SRC,dst=/b,bind-recursive=disabled'], 'rw'],
  ])('a bind by %j is, with what is mounted below it: %s', async (flags, wanted) => {
    const source = join(folder, 'tree');
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
    const source = join(folder, 'tree');
    await mkdir(join(source, 'below'), { recursive: true });
    await execa('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'below')]);
    try {
      const BindOptions = { ReadOnlyNonRecursive: true };
      const container = await docker.createContainer({
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
    const source = join(folder, 'shared');
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
    const missing = join(folder, 'missing', 'deep');
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
    const host = join(folder, 'copied');
    await mkdir(host, { recursive: true });
    const file = join(folder, 'one');
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
        const back = join(folder, 'back');
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
    await cli('exec', 'live', 'ln', '-s', folder, '/data/out');
    await writeFile(join(folder, 'secret'), 'x');
    expect(await refused('cp', 'live:/data/out/secret', '-')).toContain('Could not find the file');
  });

  test('options: a tmpfs that its containers share, on the host as long as one runs, also over a crash', async () => {
    await cli(
      'volume',
      'create',
      '-o',
      'type=tmpfs',
      '-o',
      'device=tmpfs',
      '-o',
      'o=size=1m,mode=700',
      'memory',
    );
    await background('one', '-v', 'memory:/m');
    await background('two', '-v', 'memory:/m:ro');
    await cli('exec', 'one', 'touch', '/m/x');
    expect((await cli('exec', 'two', 'ls', '/m')).stdout).toBe('x');
    await daemon.kill();
    await daemon.up();
    await cli('rm', '-f', 'one');
    expect(hostMounts()).toHaveLength(1);
    expect((await cli('exec', 'two', 'ls', '/m')).stdout).toBe('x');
    const { State } = await docker.getContainer('two').inspect();
    await daemon.kill();
    process.kill(State.Pid, 'SIGKILL');
    await daemon.up();
    await expect.poll(hostMounts).toEqual([]);
    await cli('rm', '-f', 'two');
    expect((await cli('volume', 'prune', '-af')).stdout).not.toContain('memory');
  });

  test('options: a bind, which is filled like any other volume; one that cannot be mounted says why', async () => {
    const device = join(folder, 'device');
    await mkdir(device, { recursive: true });
    await cli('volume', 'create', '-o', 'type=none', '-o', `device=${device}`, '-o', 'o=bind', 'bound');
    expect(await say(['-v', 'bound:/data'], 'cat /data/file')).toBe('of the image');
    expect((await readdir(device)).sort()).toEqual(['file', 'hard', 'soft']);
    await cli('volume', 'create', '-o', 'type=none', '-o', `device=${device}/not`, '-o', 'o=bind', 'broken');
    expect(await refused('run', '--network=none', '-v', 'broken:/data', image, 'true')).toMatch(
      /failed to mount local volume broken \(type none, device .*\/not, o bind\): .*ENOENT/,
    );
    expect(await refused('volume', 'create', '-o', 'o=bind', 'bad')).toContain(
      'missing required option: "type"',
    );
  });

  test('a part of a volume is mounted, and not what a link in it leads to', async () => {
    await say(['-v', 'data:/data:nocopy'], 'touch /data/top; ln -s /etc /data/link; ln -s sub /data/inside');
    const volume = join(daemon.dataRoot, 'volumes', 'data', '_data');
    await mkdir(join(volume, 'sub'));
    await writeFile(join(volume, 'sub', 'file'), '');
    await symlink('../../../../../..', join(volume, 'out'));
    const start = async (Subpath: string) => {
      const container = await docker.createContainer({
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

  test('df counts them, ls filters them, system prune leaves the named ones', async () => {
    await cli('volume', 'create', '--label', 'a=1', 'named');
    await cli('volume', 'create', 'other');
    await background('holder', '-v', 'named:/data');
    expect(await lines('volume', 'ls', '-q', '--filter', 'label=a=1')).toEqual(['named']);
    expect(await lines('volume', 'ls', '-q', '--filter', 'dangling=true')).toEqual(['other']);
    expect(await lines('volume', 'ls', '-q', '--filter', 'name=oth')).toEqual(['other']);
    const rows = await lines('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}');
    expect(rows.find((row) => row.startsWith('Local Volumes'))).toBe('Local Volumes 3 2 13B');
    const pruned = await cli('system', 'prune', '-f', '--volumes');
    expect(pruned).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await lines('volume', 'ls', '-q')).toEqual(expect.arrayContaining(['named', 'other']));
  });
});
