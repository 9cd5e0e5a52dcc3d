import { execFileSync } from 'node:child_process';
import { chmodSync, statSync } from 'node:fs';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SpecMount } from '../base/oci.ts';
import { compileContainer } from './compile-container.ts';
import { callsOf } from './explain.ts';
import { launch, startContainer } from './launch.ts';
import { injectFailure } from './program.ts';
import { prepareProgram } from './program-cache.ts';
import { hasMountSetattr } from './test-everything.ts';
import { dockerMounts, LaunchFixture, titleSuffix, whyNoLaunches } from './test-fixture.ts';
import { watchExit } from './watch-exit.ts';

const ENOSYS = 38;

/** The options of the mount at a path, as mountinfo has them: `[per mount, tags, super]`. */
const optionsOf = (path: string) => `cut -d' ' -f5- /proc/self/mountinfo | grep '^${path} ' | cut -d' ' -f2-`;

const older = hasMountSetattr ? '' : ' (skipped: no mount_setattr before Linux 5.12)';

type Row = readonly [name: string, options: readonly string[], outer: RegExp, inner: RegExp];

describe.skipIf(whyNoLaunches !== undefined)(`mounts${titleSuffix}`, () => {
  let source: string;
  let fixture: LaunchFixture;

  beforeAll(async () => {
    if (whyNoLaunches !== undefined) return;
    fixture = await LaunchFixture.create();
    chmodSync(fixture.dir, 0o755);
    source = join(fixture.dir, 'source');
    await mkdir(join(source, 'inner'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'nosuid', 'source', source]);
    await mkdir(join(source, 'inner'));
    execFileSync('mount', ['-t', 'tmpfs', 'inner', join(source, 'inner')]);
    await writeFile(join(source, 'file'), 'text\n');
  });

  afterAll(async () => {
    if (source) execFileSync('umount', ['-R', source]);
    await fixture?.[Symbol.asyncDispose]();
  });

  async function run(
    mounts: readonly SpecMount[],
    script: string,
    more: Parameters<LaunchFixture['request']>[1] & { readonly without?: 'mount_setattr' } = {},
  ) {
    await using own = await LaunchFixture.create();
    chmodSync(own.dir, 0o755);
    if (more.linux?.uidMappings) await chown(join(own.dir, 'root'), 200_000, 200_000);
    const request = own.request(['sh', '-c', script], {
      ...more,
      spec: { mounts: [...dockerMounts, ...mounts], ...more.spec },
    });
    let program = compileContainer(request);
    for (const [position, step] of callsOf(program).entries())
      if (step.call === more.without) program = injectFailure(program, position + 1, ENOSYS);
    await startContainer(prepareProgram(program), request);
    expect(await watchExit(own.runDir)).not.toBe('lost');
    const { stdout, stderr } = await own.output();
    return { lines: stdout.trim().split('\n'), stderr };
  }

  async function seen(_: string, options: readonly string[], outer: RegExp, inner: RegExp) {
    const { lines, stderr } = await run(
      [{ destination: '/v', type: 'bind', source, options }],
      `${optionsOf('/v')}; echo =; ${optionsOf('/v/inner')}`,
    );
    expect(stderr).toBe('');
    const [first = '', , second = ''] = lines;
    expect(first).toMatch(outer);
    expect(second).toMatch(inner);
  }

  it.each<Row>([
    ['read-only leaves what is mounted in it', ['rbind', 'ro'], /^ro,nosuid,relatime /, /^rw,relatime /],
    [
      'flags that are taken off',
      ['rbind', 'suid', 'nodiratime'],
      /^rw,nodiratime,relatime /,
      /^rw,relatime /,
    ],
    ['one mount', ['bind', 'noatime', 'nodev', 'noexec'], /^rw,nosuid,nodev,noexec,noatime /, /^$/],
    ['strict access times', ['rbind', 'strictatime'], /^rw,nosuid /, /^rw,relatime /],
    ['shared', ['rbind', 'rshared'], /shared:\d+/, /shared:\d+/],
    ['private', ['rbind', 'rprivate'], /^rw,nosuid,relatime - /, /^rw,relatime - /],
    ['unbindable', ['rbind', 'runbindable'], /unbindable/, /unbindable/],
  ])('%s', seen);

  it.skipIf(!hasMountSetattr).each<Row>([
    ['recursively read-only', ['rbind', 'rro'], /^ro,nosuid,relatime /, /^ro,relatime /],
    [
      'recursive flags',
      ['rbind', 'rnoexec', 'rnodev', 'rnoatime', 'rnosymfollow'],
      /^rw,nosuid,nodev,noexec,noatime,nosymfollow /,
      /^rw,nodev,noexec,noatime,nosymfollow /,
    ],
  ])(`%s${older}`, seen);

  it('keeps flags of the source before mount_setattr, and takes off what is asked for', async () => {
    const script = `${optionsOf('/v')}; ${optionsOf('/w')}`;
    const { lines } = await run(
      [
        { destination: '/v', type: 'bind', source, options: ['bind', 'ro'] },
        { destination: '/w', type: 'bind', source, options: ['bind', 'suid', 'noexec'] },
      ],
      script,
      { without: 'mount_setattr' },
    );
    expect(lines[0]).toMatch(/^ro,nosuid,relatime /);
    expect(lines[1]).toMatch(/^rw,noexec,relatime /);
  });

  it('a recursive attribute without mount_setattr is an error that says so', async () => {
    const mounts = [{ destination: '/v', type: 'bind', source, options: ['rbind', 'rro'] }];
    await expect(run(mounts, 'true', { without: 'mount_setattr' })).rejects.toThrow(
      /^Cannot restrict "\/v" with all that is mounted in it \(Linux 5.12\): ENOSYS/,
    );
  });

  it.each(['overlay', 'bind'] as const)(
    'tmpcopyup: a tmpfs with what the folder has, on an %s root',
    async (root) => {
      const script =
        'cat /etc/conf; stat -c %a:%u /etc; echo new > /etc/conf; cat /etc/conf; rm /etc/sub/x; ls /etc/sub; grep -c " /etc " /proc/self/mountinfo';
      await using own = await LaunchFixture.create();
      await writeFile(join(own.dir, 'root/etc/conf'), 'old\n');
      await mkdir(join(own.dir, 'root/etc/sub'));
      await writeFile(join(own.dir, 'root/etc/sub/x'), '');
      chmodSync(join(own.dir, 'root/etc'), 0o711);
      await chown(join(own.dir, 'root/etc'), 12, 13);
      const tmpfs = {
        destination: '/etc',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['tmpcopyup', 'nosuid', 'size=1m'],
      };
      await launch(own.request(['sh', '-c', script], { root, spec: { mounts: [...dockerMounts, tmpfs] } }));
      await watchExit(own.runDir);
      expect(await own.output()).toEqual({ stdout: 'old\n711:12\nnew\n2\n', stderr: '' });
      expect(statSync(join(own.dir, 'root/etc/sub/x')).size).toBe(0);
    },
  );

  it('a tmpfs without a mode has that of the folder it covers, or 1777', async () => {
    const tmpfs = (destination: string, ...options: readonly string[]) => ({
      destination,
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['size=1m', ...options],
    });
    const mounts = [
      tmpfs('/etc', 'ro'),
      tmpfs('/new/a'),
      tmpfs('/new/b', 'tmpcopyup'),
      tmpfs('/srv/c', 'ro', 'mode=700'),
    ];
    const script = `stat -c %a /etc /new/a /new/b /srv/c; ${optionsOf('/etc')} | cut -c1-3`;
    await using own = await LaunchFixture.create();
    chmodSync(join(own.dir, 'root/etc'), 0o2711);
    await launch(own.request(['sh', '-c', script], { spec: { mounts: [...dockerMounts, ...mounts] } }));
    await watchExit(own.runDir);
    expect(await own.output()).toMatchObject({ stdout: '2711\n1777\n1777\n700\nro,\n', stderr: '' });
  });

  it.skipIf(!hasMountSetattr)(`maps the ids of a mount${older}`, async () => {
    await chown(join(source, 'file'), 5000, 6000);
    const { lines, stderr } = await run(
      [
        {
          destination: '/v',
          type: 'bind',
          source,
          options: ['bind', 'idmap'],
          uidMappings: [{ containerID: 5000, hostID: 70, size: 1 }],
          gidMappings: [{ containerID: 6000, hostID: 80, size: 1 }],
        },
      ],
      'stat -c %u:%g /v/file; ls /v/inner',
    );
    expect({ lines, stderr }).toEqual({ lines: ['70:80'], stderr: '' });
  });

  it.skipIf(!hasMountSetattr)(
    `maps the ids of a mount into a user namespace, with its own maps by default${older}`,
    async () => {
      const ids = [{ containerID: 0, hostID: 200_000, size: 100_000 }];
      await chown(join(source, 'file'), 7, 8);
      const { lines, stderr } = await run(
        [
          { destination: '/plain', type: 'bind', source, options: ['rbind'] },
          { destination: '/v', type: 'bind', source, options: ['rbind', 'ridmap', 'ro'] },
        ],
        'stat -c %u:%g /plain/file /v/file; grep " /v " /proc/self/mountinfo | cut -d" " -f6',
        {
          root: 'bind',
          linux: {
            namespaces: ['mount', 'pid', 'network', 'ipc', 'uts', 'cgroup', 'user'].map(
              (type) => ({ type }) as never,
            ),
            uidMappings: ids,
            gidMappings: ids,
          },
        },
      );
      expect(stderr).toBe('');
      expect(lines.slice(0, 2)).toEqual(['65534:65534', '7:8']);
      expect(lines[2]).toMatch(/^ro,nosuid,relatime/);
    },
  );

  it.each([
    ['rshared', /shared:/],
    ['rprivate', /^\S+ - /],
    ['unbindable', /unbindable/],
  ])('rootfsPropagation %s', async (rootfsPropagation, wanted) => {
    const { lines } = await run([], optionsOf('/'), {
      linux: {
        namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'network' }, { type: 'uts' }],
        rootfsPropagation,
      },
    });
    expect(lines.at(-1)).toMatch(wanted);
  });

  it('moves the root where it may not pivot: nothing of the host is to be seen', async () => {
    const { lines, stderr } = await run(
      [{ destination: '/v', type: 'bind', source, options: ['bind'] }],
      'ls / /v; cd /; cd ../../..; pwd; cut -d" " -f5 /proc/self/mountinfo | grep -c "^/$"',
      { request: { noPivot: true } },
    );
    expect(stderr).toBe('');
    expect(lines.join(' ')).toBe('/: bin dev etc proc sys v  /v: file inner / 1');
  });
});
