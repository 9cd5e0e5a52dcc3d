import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { usualPlace } from '../daemon/driver-places.ts';
import { tarOf } from '../images/tar-fixture.ts';
import { describeBuilds } from './build-suite.ts';

const client = await execa('docker', ['--version'], { reject: false });
const why = usualPlace.why || (client.failed ? 'no docker client' : '');

/** Not what the client says of the classic builder. */
const withoutAdvice = (text: string) => text.replace(/^DEPRECATED:(.|\n)*?environment-variable\./, '').trim();

describeBuilds(
  'builds by the docker client',
  (builds) => {
    let context: string;

    beforeAll(async () => {
      context = await mkdtemp(join(tmpdir(), 'hull-context-'));
      await mkdir(join(context, 'sub'));
      const files = {
        a: 'A',
        'left.log': '',
        'sub/b': 'B',
        '.dockerignore': '*.log\nother\n',
        Dockerfile: 'FROM hull/test AS one\nCOPY . /c/\nFROM one\nRUN busybox ls -A /c\n',
        'sub/Other': 'FROM hull/test\nRUN echo other\n',
      };
      for (const [name, text] of Object.entries(files)) await writeFile(join(context, name), text);
      await symlink('a', join(context, 'link'));
    });
    afterAll(() => rm(context, { recursive: true, force: true }));

    async function docker(args: readonly string[], input: string | Uint8Array = '') {
      const host = ['-H', `unix://${builds.daemon.socketPath}`];
      const { exitCode, stdout, stderr } = await execa('docker', [...host, 'build', '--no-cache', ...args], {
        ...{ cwd: context, input, reject: false, timeout: 60_000 },
        env: { DOCKER_BUILDKIT: '0' },
      });
      return { exitCode, stdout, stderr };
    }

    it.each<[name: string, args: readonly string[], input: string, says: RegExp]>([
      ['a folder', ['.'], '', /\n\.dockerignore\nDockerfile\na\nlink\nsub\n/],
      ['a stage', ['--target', 'one', '.'], '', /Step 2\/2 : COPY \. \/c\/\n/],
      ['another Dockerfile', ['-f', 'sub/Other', '.'], '', /\nother\n/],
      // The client closes this context before its end.
      ['a Dockerfile on its input', ['-f', '-', '.'], 'FROM hull/test\nCOPY sub/b /\nRUN cat /b\n', /\nB/],
      ['nothing but a Dockerfile', ['-'], 'FROM hull/test\nRUN echo alone\n', /\nalone\n/],
      ['a Dockerfile outside', ['-f', 'sub/Other', 'sub'], '', /\nother\n/],
    ])('%s', async (_, args, input, says) => {
      const { exitCode, stdout, stderr } = await docker(args, input);
      expect([exitCode, withoutAdvice(stderr)]).toEqual([0, '']);
      expect(stdout).toMatch(says);
    });

    it('an archive on its input; the image’s id alone, on the output and in a file', async () => {
      const tar = await tarOf([{ name: 'Dockerfile', data: 'FROM hull/test\nENV from=tar\n' }]);
      const file = join(context, 'other');
      const { exitCode, stdout } = await docker(['-q', '--iidfile', file, '-t', 'made:1', '-'], tar);
      expect(exitCode).toBe(0);
      const { Id, Config } = await builds.inspect('made:1');
      expect([stdout, (await readFile(file, 'utf8')).trim()]).toEqual([Id, Id]);
      expect(Config.Env).toContain('from=tar');
    });

    it('a command that fails gives its status, and one that is not there its name', async () => {
      const failing = await docker(['--force-rm', '-f', '-', '.'], 'FROM hull/test\nRUN exit 7\n');
      expect(failing.exitCode).toBe(7);
      expect(failing.stderr).toContain("The command '/bin/sh -c exit 7' returned a non-zero code: 7");
      const absent = await docker(['-f', '-', '.'], 'FROM hull/test\nCOPY left.log /\n');
      expect(absent.exitCode).toBe(1);
      expect(absent.stderr).toContain('file not found in build context or excluded by .dockerignore');
    });
  },
  { ...usualPlace, why },
);
