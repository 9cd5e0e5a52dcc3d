import { randomBytes } from 'node:crypto';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { ifExists } from '../base/errors.ts';
import { dockerArchive, imageOf } from '../images/image-fixture.ts';
import {
  CuttingProxy,
  isInstalled,
  RealRegistry,
  whyNoRegistry,
} from '../images/registry/registry-fixture.ts';
import { TestDaemon, testImage } from './daemon-fixture.ts';

const reason =
  (await whyNoRegistry()) || ((await isInstalled('docker')) ? '' : 'the docker client is not installed');
const hullMain = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

/** Output and errors together, with the exit code in front where it is not 0. */
async function tell(program: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  const { all, exitCode } = await execa(program, args, { all: true, reject: false, env, stdin: 'ignore' });
  return exitCode === 0 ? all : `exit ${exitCode}: ${all}`;
}

describe.skipIf(reason !== '')(
  `the docker client and hull's own with a registry${reason && ` (skipped: ${reason})`}`,
  () => {
    test('log in, push, remove, pull and run; by digest too', async () => {
      await using daemon = await TestDaemon.start('vfs');
      await using registry = await RealRegistry.start({ htpasswd: true });
      const config = join(daemon.folder, 'docker');
      await mkdir(config);
      const env = { DOCKER_CONFIG: config };
      const socket = `unix://${daemon.socketPath}`;
      const docker = (...args: string[]) => tell('docker', ['-H', socket, ...args], env);
      const hull = ([command = '', ...args]: readonly string[], own: Record<string, string> = env) =>
        tell(process.execPath, [hullMain, command, '-H', socket, ...args], own);
      await daemon.loadImage();
      const name = `${registry.host}/team/box`;
      expect(await docker('tag', testImage, `${name}:v1`)).toBe('');
      expect(await docker('push', `${name}:v1`)).toMatch(/^exit 1: .*Cannot push .*:v1: found status 401/s);
      expect(await docker('login', '-u', 'sailor', '-p', 'wrong', registry.host)).toMatch(/^exit 1: .*401/s);
      expect(await docker('login', '-u', 'sailor', '-p', 'anchor', registry.host)).toContain(
        'Login Succeeded',
      );

      const pushed = await docker('push', `${name}:v1`);
      expect(pushed).toContain(`The push refers to repository [${name}]`);
      const digest = /v1: digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(pushed)?.[1] ?? pushed;
      expect(await docker('images', '--digests', '--format', '{{.Repository}}@{{.Digest}}', name)).toBe(
        `${name}@${digest}`,
      );
      expect(await docker('rmi', `${name}:v1`, testImage)).toContain(`Untagged: ${name}@${digest}`);
      expect(await docker('images', '-q')).toBe('');

      const pulled = await docker('pull', `${name}:v1`);
      expect(pulled).toContain('v1: Pulling from team/box');
      expect(pulled).toContain(`Digest: ${digest}`);
      expect(pulled).toContain(`Status: Downloaded newer image for ${name}:v1`);
      expect(await docker('pull', `${name}:v1`)).toContain(`Status: Image is up to date for ${name}:v1`);
      const format = '{{index .RepoDigests 0}}';
      expect(await docker('image', 'inspect', '--format', format, `${name}:v1`)).toBe(`${name}@${digest}`);
      expect(await docker('rmi', `${name}:v1`)).toContain('Deleted: sha256:');

      // What is not there is pulled by run, here by its digest.
      const ran = await docker('run', '--rm', '--network', 'none', `${name}@${digest}`, 'echo', 'ahoy');
      expect(ran.split('\n').at(-1)).toBe('ahoy');
      expect(await docker('rmi', `${name}@${digest}`)).toContain('Deleted: sha256:');

      expect(await hull(['pull', `${name}:v1`], { DOCKER_CONFIG: '/nonexistent' })).toMatch(/exit 1: .*401/s);
      expect(await hull(['pull', `${name}:v1`])).toContain('Status: Downloaded newer image');
      expect(await hull(['push', `${name}:v1`])).toContain(`v1: digest: ${digest}`);
      expect(await hull(['pull', '-q', `${name}:none`])).toMatch(/exit 1: hull: Cannot pull .*:none: .*404/);
      const images = join(daemon.dataRoot, 'images/vfs');
      for (const folder of ['spool', 'partial']) expect(await readdir(join(images, folder))).toEqual([]);
    });

    test('a daemon that is killed in a pull has no image, and the next pull asks for the rest', async () => {
      await using daemon = await TestDaemon.start('vfs');
      await using registry = await RealRegistry.start();
      await using proxy = await CuttingProxy.start(registry.port);
      const env = { DOCKER_HOST: `unix://${daemon.socketPath}`, DOCKER_CONFIG: daemon.folder };
      const big = await imageOf([[{ name: 'big', data: randomBytes(8_000_000) }]]);
      const name = `${registry.host}/big:v1`;
      for await (const _ of await daemon.docker.loadImage(Readable.from([await dockerArchive(big, name)])));
      expect(await tell('docker', ['push', '-q', name], env)).toBe(name);
      expect(await tell('docker', ['rmi', name], env)).toContain('Deleted: sha256:');
      const cut = { side: 'response', after: 3_000_000 } as const;
      proxy.cut = ({ line }) => (/GET .*blobs/.test(line) ? cut : undefined);
      const pull = tell('docker', ['pull', `${proxy.host}/big:v1`], env);
      const partial = join(daemon.dataRoot, 'images/vfs/partial');
      // The config is a file beside the layer for a moment.
      const kept = async () => {
        const names = await readdir(partial);
        const found = await Promise.all(names.map((name) => ifExists(stat(join(partial, name)))));
        return Math.max(0, ...found.map((each) => each?.size ?? 0));
      };
      while ((await kept()) < 2_000_000) await sleep(10);
      await daemon.kill();
      expect(await pull).toMatch(/^exit 1/);
      const size = await kept();
      await daemon.up();
      expect(await tell('docker', ['images', '-q'], env)).toBe('');
      expect(await kept()).toBe(size);
      proxy.cut = () => undefined;
      proxy.requests.length = 0;
      expect(await tell('docker', ['pull', '-q', `${proxy.host}/big:v1`], env)).toBe(`${proxy.host}/big:v1`);
      expect(proxy.rangesOf(/GET .*blobs/)).toContain(`bytes=${size}-`);
      for (const folder of [partial, join(partial, '../spool')]) expect(await readdir(folder)).toEqual([]);
    });

    test('describe an image that was not pulled, and refuse what cannot be', async () => {
      await using daemon = await TestDaemon.start('vfs');
      await using registry = await RealRegistry.start();
      await daemon.loadImage();
      const name = `${registry.host}/box`;
      await daemon.docker.getImage(testImage).tag({ repo: name, tag: 'v1' });
      const env = { DOCKER_HOST: `unix://${daemon.socketPath}`, DOCKER_CONFIG: daemon.folder };
      await writeFile(join(daemon.folder, 'config.json'), '{}');
      expect(await tell('docker', ['push', '-q', `${name}:v1`], env)).toBe(`${name}:v1`);
      const described: unknown = await daemon.docker.getImage(`${name}:v1`).distribution();
      expect(described).toMatchObject({
        Descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json' },
        Platforms: [{ architecture: 'amd64', os: 'linux' }],
      });
      expect(await tell('docker', ['pull', '--platform', 'linux/s390x', `${name}:v1`], env)).toMatch(
        /^exit 1: .*found an image for linux\/amd64, wanted linux\/s390x/s,
      );
      expect(await tell('docker', ['push', `${name}:other`], env)).toMatch(
        /^exit 1: .*No such image: .*:other/s,
      );
      const info = await tell(
        'docker',
        ['info', '--format', '{{.RegistryConfig.InsecureRegistryCIDRs}}'],
        env,
      );
      expect(info).toContain('127.0.0.0/8');
    });
  },
);
