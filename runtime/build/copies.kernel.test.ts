// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what a Dockerfile says, not JavaScript
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testImage } from '../daemon/daemon-fixture.ts';
import { tarOf } from '../images/tar-fixture.ts';
import { isOnPath } from '../storage/on-path.ts';
import { contextFiles, describeBuilds } from './build-suite.ts';

const packers = await Promise.all(
  ['bzip2', 'xz'].map(async (name) => ({
    name,
    why: (await isOnPath(name)) ? '' : `${name} is not installed`,
  })),
);

describeBuilds('COPY and ADD', (builds) => {
  let web: Server;
  let site: string;

  beforeAll(async () => {
    web = createServer((request, response) => {
      if (request.url === '/file.txt')
        response.setHeader('Last-Modified', 'Sat, 01 Jan 2000 00:00:00 GMT').end('from the web');
      else response.writeHead(404, 'Not Found').end('no such page');
    });
    web.listen(0, '127.0.0.1');
    await once(web, 'listening');
    site = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  });
  afterAll(() => web.close());

  it.each<[string, string, string]>([
    // title, instructions, what stat says of what came of it
    ['a file becomes the destination', 'COPY a /new', '/new 644 0:0'],
    ['a file goes into a folder', 'COPY a /new/', '/new/a 644 0:0'],
    [
      'a folder’s content goes into the destination',
      'COPY d /new',
      '/new 755 0:0\n/new/link 777 0:0\n/new/sub 750 0:0\n/new/sub/y 644 0:0\n/new/x 640 0:0',
    ],
    ['wildcards', 'COPY [ab] /new/', '/new/a 644 0:0\n/new/b 644 0:0'],
    [
      'owner and mode',
      'COPY --chown=sailor:crew --chmod=600 a /new/a',
      '/new 755 1000:500\n/new/a 600 1000:500',
    ],
    ['a link in the context is followed inside of it', 'COPY d/link /new', '/new 640 0:0'],
    ['a link in the image is followed inside of it', 'RUN ln -s /tmp /new\nCOPY a /new/x', '/new 777 0:0'],
    [
      'what a link to nothing leads to is made',
      'RUN busybox ln -s new/in /lnk\nWORKDIR /lnk/sub\nCOPY --chown=7:8 a /lnk/x/',
      '/new/in 755 0:0\n/new/in/sub 755 0:0\n/new/in/x 755 7:8\n/new/in/x/a 644 7:8',
    ],
    ['a heredoc', 'COPY <<EOF /new\nhi $HOME\nEOF', '/new 644 0:0'],
    ['from another stage', 'COPY --from=other /made /new', '/new 700 5:6'],
    ['from a stage by its number', 'COPY --from=0 /made /new', '/new 700 5:6'],
    ['from an image', `COPY --from=${testImage} /plain /new`, '/new 644 0:0'],
    ['an archive is unpacked by ADD', 'ADD t.tgz /new', '/new 755 0:0\n/new/in 604 7:8'],
    ['an archive is copied by COPY', 'COPY t.tgz /new', '/new 644 0:0'],
    ['a URL', 'ADD @site/file.txt /new/', '/new/file.txt 600 0:0'],
  ])('%s: %s', async (_title, instructions, facts) => {
    const t = gzipSync(await tarOf([{ name: 'in', data: '1', mode: 0o604, uid: 7, gid: 8 }]));
    const output = await builds.printed(
      `FROM @base AS other\nRUN busybox touch /made && busybox chmod 700 /made && busybox chown 5:6 /made\n` +
        `FROM @base\n${instructions.replace('@site', site)}\n` +
        `RUN busybox find /new | busybox sort | busybox xargs busybox stat -c '%n %a %u:%g'`,
      { files: [...contextFiles, { name: 't.tgz', data: t }] },
    );
    const lines = (text: string) =>
      text
        .trim()
        .split('\n')
        .filter((line) => line !== '/new 755 0:0');
    expect(lines(output)).toEqual(lines(facts));
  });

  it.for(packers)('an archive by $name is unpacked by ADD', async ({ name, why }, { skip }) => {
    if (why) skip(why);
    const t = await tarOf([{ name: 'in', data: '1', mode: 0o604, uid: 7, gid: 8 }]);
    const { stdout } = await execa(name, ['-c'], { input: t, encoding: 'buffer' });
    const { stdout: packed } = await execa(name, ['-c'], { input: 'no archive', encoding: 'buffer' });
    const output = await builds.printed(
      'FROM @base\nADD t /new/\nADD plain /new/\nRUN busybox stat -c "%n %a %u:%g" /new/*',
      {
        files: [
          { name: 't', data: Buffer.from(stdout) },
          { name: 'plain', data: Buffer.from(packed) },
        ],
      },
    );
    expect(output).toBe('/new/in 604 7:8\n/new/plain 644 0:0\n');
  });

  it.each<[string, string]>([
    [
      'COPY nothing /x',
      'COPY failed: file not found in build context or excluded by .dockerignore: stat nothing: file does not exist',
    ],
    ['COPY ../x /x', 'COPY failed: forbidden path outside the build context: ../x ()'],
    ['COPY out/passwd /x', 'COPY failed: file not found in build context'],
    [
      'COPY a b /x',
      'When using COPY with more than one source file, the destination must be a directory and end with a /',
    ],
    ['COPY n* /x/', 'COPY failed: no source files were specified'],
    ['COPY d /plain', 'failed to copy files: cannot copy to non-directory: /plain'],
    ['RUN busybox ln -s l /l\nCOPY a /l/x', 'cannot use l: too many links'],
    ['COPY --chown=nobody a /x', "can't find uid for user nobody: no such user"],
    ['COPY --chmod=rwx a /x', "invalid chmod parameter: 'rwx'"],
    ['COPY --from=7 a /x', 'invalid from flag value 7: index out of bounds'],
    ['COPY --from=0 a /x', 'invalid from flag value 0: refers to current build stage'],
    ['COPY http://x/y /x', "COPY failed: source can't be a URL for COPY"],
    ['ADD @site/none /x', 'with status 404 Not Found: no such page'],
    ['ADD http://127.0.0.1:3/x /x', 'failed to GET http://127.0.0.1:3/x: connect ECONNREFUSED'],
    ['RUN exit 7', "The command '/bin/sh -c exit 7' returned a non-zero code: 7"],
    ['RUN ["/nothing"]', '/nothing'],
    ['USER nobody\nRUN true', 'no such user'],
    ['EXPOSE a', 'dockerfile parse error on line 2: Invalid containerPort: a'],
    ['ENV a=${b:?wanted}', 'dockerfile parse error on line 2: b: wanted'],
  ])('%s fails: %s', async (instruction, message) => {
    const { error, status } = await builds.send(`FROM @base\n${instruction.replace('@site', site)}`, {
      files: contextFiles,
      query: { forcerm: '1' },
    });
    expect(status).toBe(200);
    expect(error).toContain(message);
  });
});
