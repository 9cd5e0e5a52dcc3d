import { describe, expect, it } from 'vitest';
import { launch } from './launch.ts';
import { LaunchError } from './launch-error.ts';
import { closeStdin } from './stdin.ts';
import { hasMountSetattr, requestWithEverything } from './test-everything.ts';
import { LaunchFixture, titleSuffix, whyNoLaunches } from './test-fixture.ts';
import { TestGroups } from './test-groups.ts';
import { watchExit } from './watch-exit.ts';

const mount = (path: string) => `cut -d' ' -f5- /proc/self/mountinfo | grep '^${path} '`;
const status = (name: string) => `grep '^${name}:' /proc/self/status | cut -f2`;

/** What is asked of the container, by a shell in it, and what it must answer. */
const questions: readonly (readonly [question: string, answer: RegExp])[] = [
  ['hostname', /^everything$/],
  ['cat /proc/sys/kernel/domainname', /^all\.example$/],
  ['id', /^uid=7 gid=8 groups=8,9,10$|^uid=7 gid=8 groups=9,10$/],
  ['umask; pwd; echo $SHIP', /^0027\n\/plain\nhull$/],
  [status('CapBnd'), /^00000000000004c1$/],
  [status('CapEff'), /^0000000000000400$/],
  [status('CapAmb'), /^0000000000000400$/],
  [status('Seccomp'), /^2$/],
  [status('NoNewPrivs'), /^0$/],
  ['ulimit -n; ulimit -Hn; ulimit -c', /^20\n30\n0$/],
  ['cat /proc/self/oom_score_adj', /^100$/],
  ['cut -d" " -f41,19 /proc/self/stat', /^19 3$/],
  [mount('/'), /^\/ ro,/],
  [mount('/plain'), /^\/plain rw,(nosuid,)?nodev,(noatime|relatime) /],
  [mount('/tree'), /^\/tree ro,/],
  [mount('/shared'), /shared:/],
  ['cat /one /tree/file', /^volume\nvolume$/],
  ['ls /masked; echo x > /dev/null; ls /dev/kmsg', /^\/dev\/kmsg$/],
  ['cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax', /^1\n(4096|8192)$/],
  [
    'echo 0 2>&1 > /proc/sys/net/ipv4/ip_forward || echo no',
    /(Read-only file system|nonexistent|Permission denied|can't create)[\s\S]*no$/,
  ],
  ['test $(cut -d. -f1 /proc/uptime) -gt 50000000 || test ! -e /proc/self/ns/time && echo old', /^old$/],
  ['cat /proc/self/cgroup', /:\/$/m],
  ['ls -d /sys/fs/cgroup/* | head -n 1', /^\/sys\/fs\/cgroup\//],
  ['ls /proc/self/fd | head -n 20', /^0\n1\n2\n3$/],
  [hasMountSetattr ? 'stat -c %u:%g /mapped/file' : 'echo 7:8', /^7:8$/],
];

describe.skipIf(whyNoLaunches !== undefined)(`a specification with everything${titleSuffix}`, () => {
  it.each([
    ['in the host’s user namespace', false],
    ['in a user namespace', true],
  ])('%s', async (_, userNamespace) => {
    await using fixture = await LaunchFixture.create();
    using groups = new TestGroups(`hull-everything-${fixture.id}`);
    const script = questions.map(([question]) => `${question}\necho ==`).join('\n');
    const request = await requestWithEverything(fixture, ['sh', '-c', `exec 2>&1\n${script}\ncat`], {
      cgroup: groups.entry,
      userNamespace,
      mountSetattr: hasMountSetattr,
    });
    await launch(request);
    await closeStdin(fixture.runDir);
    expect(await watchExit(fixture.runDir)).toMatchObject({ exitCode: 0 });
    const { stdout } = await fixture.output();
    const answers = stdout.split('==\n').map((answer) => answer.trim());
    const wrong = questions.flatMap(([question, wanted], index) =>
      wanted.test(answers[index] ?? '') ? [] : [`${question}: found ${answers[index]}, wanted ${wanted}`],
    );
    expect(wrong).toEqual([]);
  });

  it('an AppArmor profile or SELinux label is refused by name where the kernel has no such module', async () => {
    await using fixture = await LaunchFixture.create();
    const error = await launch(
      fixture.request(['true'], { process: { apparmorProfile: 'hull-no-such-profile' } }),
    ).catch((error: unknown) => error);
    if (error instanceof LaunchError) expect(error.message).toContain('choose the AppArmor profile');
    else
      expect(error).toMatchObject({
        kind: 'unsupported',
        message: expect.stringContaining('AppArmor is not enabled'),
      });
  });
});
