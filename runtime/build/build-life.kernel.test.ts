// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what a Dockerfile says, not JavaScript
import { access } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import type { Sent } from './build-fixture.ts';
import { contextFiles, describeBuilds } from './build-suite.ts';

describeBuilds('the life of a build', (builds) => {
  it('goes on from what was made before, until something differs', async () => {
    const dockerfile = 'FROM @base\nARG v\nCOPY a /a\nRUN echo $v > /v\nCMD ["cached"]';
    const hits = async (more: Partial<Sent>) => {
      const { text, error } = await builds.send(dockerfile, { files: contextFiles, ...more });
      expect(error).toBe('');
      return text.split(' ---> Using cache\n').length - 1;
    };
    expect(await hits({})).toBe(0);
    expect(await hits({})).toBe(4);
    expect(await hits({ query: { nocache: '1' } })).toBe(0);
    expect(await hits({ query: { buildargs: '{"v":"2"}' } })).toBe(2);
    expect(await hits({ query: { buildargs: '{"HTTP_PROXY":"p"}' } })).toBe(2);
    expect(await hits({ files: [{ name: 'a', data: 'other' }] })).toBe(1);
    expect(await hits({ files: [{ name: 'a', data: 'A', mtime: new Date(0) }] })).toBe(4);
  });

  it('takes an image’s history for a cache that has no parents here', async () => {
    const dockerfile = 'FROM scratch\nCOPY a /a\nENV x=1\nCOPY b /b';
    const { id } = await builds.send(dockerfile, {
      files: contextFiles,
      query: { t: 'source:1', nocache: '1' },
    });
    const saved = await buffer(await builds.daemon.docker.getImage('source:1').get());
    await builds.daemon.docker.getImage('source:1').remove({ force: true });
    const loaded = await builds.daemon.docker.loadImage(Readable.from([saved]));
    for await (const _ of loaded);
    const other = await builds.send(`${dockerfile}\nENV y=2`, {
      files: contextFiles,
      query: { cachefrom: '["source:1"]' },
    });
    expect(other.text.split('Using cache').length - 1).toBe(3);
    expect((await builds.inspect(other.id)).RootFS.Layers).toEqual((await builds.inspect(id)).RootFS.Layers);
  });

  it('stages, arguments, triggers and labels', async () => {
    const { text, error, id } = await builds.send(
      'ARG tag=latest\nFROM hull/test:${tag} AS one\nARG tag\nRUN echo "[$tag]"\nONBUILD ENV from=trigger\nFROM one AS two\nENV own=1\nFROM nothing',
      { query: { target: 'two', labels: '{"z":"$x","a":"1"}', buildargs: '{"unused":"1"}' } },
    );
    expect(error).toBe('');
    expect(text).toContain('[latest]\n');
    expect(text).toContain('# Executing 1 build trigger\n');
    expect(text).toContain('[Warning] One or more build-args [unused] were not consumed\n');
    const { Config } = await builds.inspect(id);
    expect(Config).toMatchObject({ Labels: { a: '1', z: '$x' }, OnBuild: null });
    expect(Config.Env).toEqual(expect.arrayContaining(['from=trigger', 'own=1']));
  });

  it('a quiet build tells the id alone, and all where it fails', async () => {
    const good = await builds.send('FROM @base\nENV a=quiet', { query: { q: '1' } });
    expect(good.text).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    const bad = await builds.send('FROM @base\nRUN echo why && exit 3', { query: { q: '1', forcerm: '1' } });
    expect(bad).toMatchObject({ exitCode: 3, text: expect.stringContaining('why\n') });
  });

  it.each<[string, string]>([
    ['../evil', 'Cannot unpack entry'],
    ['out/evil', 'nothing of the host'],
  ])('a context with %s stays in its folder: %s', async (name, message) => {
    const link = { name: 'out', type: 'symlink' as const, linkname: '/tmp' };
    const { status, error, text } = await builds.send('FROM @base\nCOPY . /c\nRUN cat /c/tmp/evil', {
      files: [link, { name, data: 'nothing of the host' }],
      query: { forcerm: '1' },
    });
    expect(status).toBe(name.startsWith('..') ? 400 : 200);
    expect(error + text).toContain(message);
    await expect(access('/tmp/evil')).rejects.toThrow('ENOENT');
  });

  it('keeps a failed step’s container for the user, unless told otherwise', async () => {
    await builds.send('FROM @base\nRUN echo kept > /f && false');
    const [left, ...others] = await builds.daemon.docker.listContainers({ all: true });
    expect(others).toEqual([]);
    await builds.daemon.kill();
    await builds.daemon.up();
    const container = builds.daemon.docker.getContainer(left?.Id ?? '');
    expect((await container.inspect()).State.ExitCode).toBe(1);
    await container.remove();
  });

  it('a client that leaves ends the build, and nothing of the step stays', async () => {
    const left = new AbortController();
    const hear = (text: string) => {
      if (text.includes('Running in')) left.abort();
    };
    await expect(builds.send('FROM @base\nRUN sleep 1000', { signal: left.signal, hear })).rejects.toThrow();
    await expect.poll(async () => await builds.daemon.leftovers(), { timeout: 20_000 }).toEqual([]);
  });

  it.each(['RUN sleep 1000', 'COPY big /big\nRUN sleep 1000'])(
    'a daemon killed during %j leaves nothing',
    async (step) => {
      const running = Promise.withResolvers<void>();
      const hear = (text: string) => {
        if (text.includes('Running in')) running.resolve();
      };
      const built = builds.send(`FROM @base\n${step}`, {
        files: [{ name: 'big', data: Buffer.alloc(4_000_000, 1) }],
        hear,
      });
      built.catch(() => undefined);
      await running.promise;
      await builds.daemon.kill();
      await built.catch(() => undefined);
      await builds.daemon.up();
      expect(await builds.daemon.docker.listContainers({ all: true })).toEqual([]);
      expect(await builds.daemon.leftovers()).toEqual([]);
      // What was made before it is there, and the build can be made again.
      expect((await builds.send('FROM @base\nRUN echo again')).error).toBe('');
    },
  );
});
