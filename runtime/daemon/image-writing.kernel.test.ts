import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { piecesOf, tarOf } from '../images/tar-fixture.ts';
import { readTar } from '../images/tar-reader.ts';
import { TestDaemon, testImage } from './daemon-fixture.ts';
import { driverPlaces } from './driver-places.ts';

const client = await execa('docker', ['--version'], { reject: false });
const noClient = client.failed ? ' (skipped: no docker client)' : '';

for (const place of await driverPlaces(['overlay', 'vfs'])) {
  const { driver, why: reason } = place;
  describe.skipIf(reason !== '')(`files and images on ${driver}${reason && ` (skipped: ${reason})`}`, () => {
    let daemon: TestDaemon;
    let docker: Docker;
    let folder: string;

    beforeAll(async () => {
      daemon = await TestDaemon.start(driver, place);
      docker = daemon.docker;
      await daemon.loadImage();
      folder = await mkdtemp(join(tmpdir(), 'hull-files-'));
    });
    afterEach(async () => {
      for (const { Id } of await docker.listContainers({ all: true })) {
        await docker.getContainer(Id).remove({ force: true });
      }
      for (const { Id, RepoTags } of await docker.listImages()) {
        if (!RepoTags?.includes(testImage)) await docker.getImage(Id).remove({ force: true });
      }
      expect(await daemon.leftovers()).toEqual([]);
    });
    afterAll(async () => {
      await daemon[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
      expect(await daemon.kernelLeftovers()).toEqual([]);
    });

    const cli = async (...args: string[]) =>
      await execa('docker', ['-H', `unix://${daemon.socketPath}`, ...args], {
        timeout: 120_000,
        killSignal: 'SIGKILL',
        all: true,
        reject: false,
      });
    const run = async (script: string): Promise<Docker.Container> => {
      const container = await docker.createContainer({ Image: testImage, Cmd: ['sh', '-c', script] });
      await container.start();
      return container;
    };
    const finished = async (script: string): Promise<Docker.Container> => {
      const container = await run(script);
      expect(await container.wait()).toMatchObject({ StatusCode: 0 });
      return container;
    };
    const namesIn = async (archive: NodeJS.ReadableStream): Promise<readonly string[]> => {
      const found: string[] = [];
      for await (const { type, name } of readTar(piecesOf(await buffer(archive))))
        found.push(`${type} ${name}`);
      return found;
    };
    const script = 'echo a > /root/added; echo b >> /plain; > /root/empty';

    test('the changes of a container are its own, without the places that hull mounts on', async () => {
      const wanted = [
        { Path: '/plain', Kind: 0 },
        { Path: '/root', Kind: 0 },
        { Path: '/root/added', Kind: 1 },
        { Path: '/root/empty', Kind: 1 },
      ];
      expect(await (await finished('true')).changes()).toEqual(expect.toSatisfy((found) => !found?.length));
      expect(await (await finished(script)).changes()).toEqual(wanted);
      const live = await run(`${script}; while :; do sleep 0.1; done`);
      await expect.poll(() => live.changes()).toEqual(wanted);
    });

    test('export and commit of a running container leave it running; the image is the tree', async () => {
      const live = await run(`${script}; while :; do echo tick >> /root/ticks; sleep 0.01; done`);
      await expect.poll(async () => (await live.changes()).length).toBe(5);
      const exported = await namesIn(await live.export());
      expect(exported).toContain('file root/added');
      expect(exported.some((name) => name.startsWith('directory proc/') && name !== 'directory proc/')).toBe(
        false,
      );
      const { Id } = await live.commit({
        repo: 'made',
        tag: '1',
        changes: 'ENV FROM_COMMIT=yes',
        author: 'me',
      });
      expect((await live.inspect()).State.Status).toBe('running');
      const image = await docker.getImage('made:1').inspect();
      expect(image).toMatchObject({ Id, Author: 'me' });
      expect(image.Parent).toBe((await docker.getImage(testImage).inspect()).Id);
      const again = await docker.createContainer({
        Image: 'made:1',
        Cmd: ['sh', '-c', 'cat /root/added; echo $FROM_COMMIT $FROM_IMAGE'],
      });
      await again.start();
      await again.wait();
      expect(String(await again.logs({ stdout: true, follow: false }))).toContain('yes yes');
    });

    test('a client that leaves in the middle of an export or a save leaves nothing held', async () => {
      const live = await run('while :; do sleep 0.1; done');
      for (const stream of [await live.export(), await docker.getImage(testImage).get()]) {
        await new Promise((resolve) => stream.once('data', resolve));
        (stream as unknown as { destroy(): void }).destroy();
      }
      await live.kill();
      await live.wait();
      const { State } = await live.inspect();
      expect(State).toMatchObject({ Status: 'exited', Error: '' });
      await live.start();
    });

    test('copies in and out; links lead inside the container, never to the host', async () => {
      const outside = join(folder, 'outside');
      await rm(outside, { recursive: true, force: true });
      await execa('mkdir', ['-p', outside]);
      await writeFile(join(outside, 'secret'), 'of the host');
      const archive = async () => piecesOf(await tarOf([{ name: 'new', data: 'in' }, { name: '.wh.plain' }]));
      for (const alive of [true, false]) {
        const links = `ln -s ${folder} /host; ln -s ../../../../../${outside} /up; mkdir -p ${outside}`;
        const live = await run(`${links}; while :; do sleep 0.1; done`);
        await expect.poll(async () => (await live.changes()).length).toBeGreaterThan(3);
        if (!alive) await live.stop({ t: 0 });
        await live.putArchive(Readable.from(await archive()), { path: '/host/outside' });
        await live.putArchive(Readable.from(await archive()), { path: '/up' });
        expect(await readdir(outside)).toEqual(['secret']);
        expect(await namesIn(await live.getArchive({ path: '/host/outside/' }))).toEqual([
          'directory outside/',
          'file outside/.wh.plain',
          'file outside/new',
        ]);
        expect(await namesIn(await live.getArchive({ path: '/host' }))).toEqual(['symlink host']);
        const climbing = await tarOf([{ name: '../../escaped', data: 'x' }]);
        await expect(live.putArchive(climbing, { path: '/tmp' })).rejects.toMatchObject({ statusCode: 400 });
        await expect(live.getArchive({ path: '/host/outside/secret' })).rejects.toMatchObject({
          statusCode: 404,
        });
        await expect(live.putArchive(climbing, { path: '/plain' })).rejects.toMatchObject({
          statusCode: 400,
        });
        await live.remove({ force: true });
      }
    });

    test('a container that exchanges folders for links to the host all the time gets nothing of it', async () => {
      const outside = join(folder, 'raced');
      await execa('mkdir', ['-p', outside]);
      await writeFile(join(outside, 'secret'), 'of the host');
      const live = await run(
        `mkdir -p /a${folder} /a/real; ln -s ${outside} /a/link; while :; do mv /a/real /a/x; mv /a/link /a/real; mv /a/real /a/link; mv /a/x /a/real; done`,
      );
      const data = await tarOf([{ name: 'planted', data: 'x' }]);
      for (let round = 0; round < 25; round++) {
        await live.putArchive(data, { path: '/a/real' }).catch(() => undefined);
        const out = await live.getArchive({ path: '/a/' }).then(buffer, () => Buffer.alloc(0));
        expect(out.includes('of the host')).toBe(false);
      }
      expect(await readdir(outside)).toEqual(['secret']);
    });

    test(`the real client: save, load, commit, export, import, diff, history, cp, rmi, prune and df${noClient}`, {
      timeout: 600_000,
    }, async ({ skip }) => {
      if (client.failed) skip('no docker client');
      const ok = async (...args: string[]): Promise<string> => {
        const { all, exitCode, stdout } = await cli(...args);
        expect({ args, exitCode, all }).toMatchObject({ exitCode: 0 });
        return stdout;
      };
      await finished(script);
      const [id = ''] = (await docker.listContainers({ all: true })).map(({ Id }) => Id);
      expect(await ok('diff', id)).toBe('C /plain\nC /root\nA /root/added\nA /root/empty');
      const made = await ok('commit', '-m', 'why', '-c', 'CMD ["cat","/root/added"]', id, 'cli:1');
      expect(await ok('run', '--rm', 'cli:1')).toBe('a');
      expect(await ok('history', '--format', '{{.Comment}}|{{.Size}}', 'cli:1')).toMatch(/^why\|\d+B\n/);
      expect(await ok('images', '--no-trunc', '--format', '{{.Repository}} {{.ID}}')).toContain(
        `cli ${made}`,
      );
      const saved = join(folder, 'cli.tar');
      await ok('save', '-o', saved, 'cli:1');
      await ok('rmi', 'cli:1');
      expect(await ok('load', '-i', saved)).toContain('Loaded image: cli:1');
      expect(await ok('load', '-q', '-i', saved)).toBe('Loaded image: cli:1');
      expect(await ok('inspect', '--format', '{{.Id}}', 'cli:1')).toBe(made);
      const exported = join(folder, 'export.tar');
      await ok('export', '-o', exported, id);
      expect((await execa('tar', ['-tf', exported])).stdout).toContain('root/added');
      await ok('import', '-c', 'CMD ["cat","/root/added"]', exported, 'flat:1');
      expect(await ok('run', '--rm', 'flat:1')).toBe('a');
      await writeFile(join(folder, 'in'), 'from the host');
      await symlink('/nowhere', join(folder, 'soft')).catch(() => undefined);
      await ok('cp', join(folder, 'in'), `${id}:/root/copied`);
      await ok('cp', `${id}:/root`, join(folder, 'out'));
      expect(await readFile(join(folder, 'out/copied'), 'utf8')).toBe('from the host');
      expect(await ok('system', 'df')).toMatch(/Images\s+3\s+1\s/);
      expect((await cli('rmi', testImage)).all).toContain('is using its referenced image');
      expect(await ok('container', 'prune', '-f')).toContain(id);
      await ok('tag', 'flat:1', 'cli:1');
      expect(await ok('image', 'prune', '-f')).toContain(made);
      // The test image is older than an hour, the others are not.
      expect(await ok('image', 'prune', '-a', '-f', '--filter', 'until=1h')).toContain(testImage);
      await ok('rmi', 'cli:1', 'flat:1');
    });
  });
}
