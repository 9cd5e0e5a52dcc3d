import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeVolumes, image } from './volumes-suite.ts';

describeVolumes('volumes', (world) => {
  const { cli, lines, say, background, mountsOf, refused, hostMounts } = world;

  test.each([
    ['-v', 'data:/data'],
    ['--mount', 'type=volume,src=data,dst=/data'],
    ['-v', '/data'],
    ['--mount', 'type=volume,dst=/data'],
  ])(
    'an empty volume gets what the image has there, with owners, modes and hard links: %s %s',
    async (...flags) => {
      const look =
        // btrfs counts no links of folders.
        'cd /data; stat -c "%n %a %u %g" .; stat -c "%n %a %u %g %h" file hard; readlink soft; cat file; grep -c " /data " /proc/mounts';
      expect(await say(flags, look)).toBe(
        '. 1770 1000 7\nfile 4711 5 0 2\nhard 4711 5 0 2\n/etc/passwd\nof the image\n1',
      );
    },
  );

  test.each([
    ['a bind', ['-v', 'HOST:/data']],
    ['nocopy', ['-v', 'data:/data:nocopy']],
    ['volume-nocopy', ['--mount', 'type=volume,src=data,dst=/data,volume-nocopy']],
  ])('%s stays empty', async (_, flags) => {
    const host = join(world.folder, 'empty');
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
    await world.daemon.kill();
    await world.daemon.up();
    expect(await say(['-v', 'data:/data'], 'cd /data; ls; cat own')).toBe('hard\nown\nsoft\nown');
    expect(await lines('volume', 'ls', '-q')).toEqual(['data']);
  });

  test('a create cut off by SIGKILL leaves no nameless volume behind, and none that is half full', async () => {
    for (let round = 0; round < 6; round++) {
      const creating = cli('create', '-v', 'data:/data', '-v', '/own', image);
      await sleep(Math.random() * 150);
      await world.daemon.kill();
      await creating;
      await world.daemon.up();
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
      if (crash) await world.daemon.kill();
      if (crash) await world.daemon.up();
      expect(await refused('volume', 'rm', 'data')).toContain(`remove data: volume is in use - [${id}]`);
      expect(await refused('volume', 'rm', '-f', 'data')).toContain('volume is in use');
      expect((await cli('volume', 'prune', '-af')).stdout).not.toContain('data');
    }
    await cli('rm', '-v', 'user');
    expect((await cli('volume', 'rm', 'data')).stdout).toBe('data');
    expect(await refused('volume', 'inspect', 'data')).toMatch(/no such volume/i); // Clients up to 20.10 have their own words.
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
    await world.daemon.kill();
    await world.daemon.up();
    await cli('rm', '-f', 'one');
    expect(hostMounts()).toHaveLength(1);
    expect((await cli('exec', 'two', 'ls', '/m')).stdout).toBe('x');
    const { State } = await world.daemon.docker.getContainer('two').inspect();
    await world.daemon.kill();
    process.kill(State.Pid, 'SIGKILL');
    await world.daemon.up();
    await expect.poll(hostMounts).toEqual([]);
    await cli('rm', '-f', 'two');
    expect((await cli('volume', 'prune', '-af')).stdout).not.toContain('memory');
  });

  test('options: a bind, which is filled like any other volume; one that cannot be mounted says why', async () => {
    const device = join(world.folder, 'device');
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
