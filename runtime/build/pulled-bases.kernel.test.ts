import { afterAll, beforeAll, expect, it } from 'vitest';
import { usualPlace } from '../daemon/driver-places.ts';
import { RealRegistry, whyNoRegistry } from '../images/registry/registry-fixture.ts';
import { describeBuilds } from './build-suite.ts';

const why = usualPlace.why || (await whyNoRegistry());

describeBuilds(
  'bases that must be pulled',
  (builds) => {
    let registry: RealRegistry;
    let base: string;

    /** Gone from here, so that whoever names it must pull it. */
    const publish = async (dockerfile: string): Promise<string> => {
      const { error, id } = await builds.send(dockerfile, { query: { t: base } });
      expect(error).toBe('');
      const image = builds.daemon.docker.getImage(base);
      const pushing = await image.push({ authconfig: {} });
      let said = '';
      for await (const chunk of pushing) said += chunk;
      expect(said).toContain('digest: sha256:');
      await image.remove();
      return id;
    };

    beforeAll(async () => {
      registry = await RealRegistry.start();
      base = `${registry.host}/team/base:1`;
    });
    afterAll(async () => await registry[Symbol.asyncDispose]());

    it('FROM and --from pull what is not here; what the base says holds: SHELL, HEALTHCHECK, ONBUILD', async () => {
      const id = await publish(
        [
          'FROM @base',
          'SHELL ["/bin/sh", "-e", "-c"]',
          'HEALTHCHECK --interval=10s --retries=2 CMD true',
          'ONBUILD RUN echo trigger > /triggered',
          'RUN echo base > /made',
        ].join('\n'),
      );
      const { text, error, lines } = await builds.send(
        `FROM ${base}\nRUN false; echo -e goes on\nHEALTHCHECK --timeout=3s CMD ["x"]\nCMD y`,
        { query: { forcerm: '1' } },
      );
      expect(lines).toContainEqual(expect.objectContaining({ status: 'Pulling from team/base', id: '1' }));
      expect(text).toContain('# Executing 1 build trigger\n');
      // The base's shell has -e.
      expect(error).toBe("The command '/bin/sh -e -c false; echo -e goes on' returned a non-zero code: 1");
      const good = await builds.send(
        `FROM ${base}\nHEALTHCHECK --timeout=3s CMD ["x"]\nCMD y\nCOPY --from=${base} /made /triggered /both/`,
        { query: { forcerm: '1' } },
      );
      // It is not triggered in the base's own tree.
      expect(good.error).toContain('COPY failed');
      const last = await builds.send(
        `FROM ${base}\nHEALTHCHECK --timeout=3s CMD ["x"]\nCMD y\nCOPY --from=${base} /made /copied`,
        { query: { pull: '1' } },
      );
      expect(last.error).toBe('');
      expect(last.lines).toContainEqual(
        expect.objectContaining({ status: expect.stringContaining('Image is up to date') }),
      );
      expect((await builds.inspect(last.id)).Config).toMatchObject({
        Shell: ['/bin/sh', '-e', '-c'],
        Cmd: ['/bin/sh', '-e', '-c', 'y'],
        OnBuild: null,
        Healthcheck: { Test: ['CMD', 'x'], Interval: 10e9, Timeout: 3e9, Retries: 2 },
      });
      expect((await builds.inspect(base)).Id).toBe(id);
    });

    it('a base that is nowhere is an error that names it', async () => {
      const nowhere = `${registry.host}/team/nothing:1`;
      for (const dockerfile of [`FROM ${nowhere}`, `FROM @base\nCOPY --from=${nowhere} /a /b`]) {
        const { status, error } = await builds.send(dockerfile);
        expect(status).toBe(200);
        expect(error).toMatch(/manifest .*unknown|not found|no such/i);
        expect(error).toContain('team/nothing');
      }
    });
  },
  { ...usualPlace, why },
);
