import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { capability } from '../images/image-contents.ts';
import { dockerArchive, imageOf } from '../images/image-fixture.ts';
import { type FixtureEntry, paxOf } from '../images/tar-fixture.ts';
import { readMountInfo } from '../kernel/mountinfo.ts';
import { TestDaemon } from './daemon-fixture.ts';
import { type DriverPlace, usualPlace } from './driver-places.ts';

const client = await execa('docker', ['--version'], { reject: false });
const noClient = client.failed ? 'no docker client' : '';
export const image = 'hull/volumes:latest';

/** busybox, and at /data what a copy-up has to bring along; hostile links beside it. */
async function imageArchive(): Promise<Uint8Array> {
  const names = 'sh ls cat echo stat touch sleep grep mount readlink rm ln'.split(' ');
  const entries: FixtureEntry[] = [
    { name: 'bin/busybox', mode: 0o755, data: await readFile('/bin/busybox') },
    ...names.map((name) => ({ name: `bin/${name}`, type: 'symlink' as const, linkname: 'busybox' })),
    { name: 'data', type: 'directory', mode: 0o1770, uid: 1000, gid: 7 },
    { name: 'data/file', mode: 0o4711, uid: 5, data: 'of the image\n' },
    { name: 'data/hard', type: 'link', linkname: 'data/file' },
    { name: 'data/soft', type: 'symlink', linkname: '/etc/passwd' },
    { name: 'etc/marker', data: "the image's own /etc\n" },
    { name: 'able', type: 'directory' },
    paxOf({ 'SCHILY.xattr.security.capability': capability }),
    { name: 'able/file', data: 'x' },
    { name: 'able/fifo', type: 'fifo' },
    { name: 'dangling', type: 'symlink', linkname: '../no/where' },
    { name: 'to-no-file', type: 'symlink', linkname: 'no/file' },
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

/** For tests: a daemon with an image, driven by the real docker client. */
export class VolumeWorld {
  #daemon: TestDaemon | undefined;
  /** For files of the host. */
  folder = '';

  get daemon(): TestDaemon {
    if (!this.#daemon) throw new Error('Cannot use the daemon: it is started before the first test');
    return this.#daemon;
  }

  async open(place: DriverPlace): Promise<void> {
    this.#daemon = await TestDaemon.start(place.driver, place);
    const loading = await this.daemon.docker.loadImage(Readable.from([await imageArchive()]));
    for await (const _ of loading);
    this.folder = await mkdtemp(join(tmpdir(), 'hull-binds-'));
  }

  /** Afterwards there is a daemon without containers and volumes, and nothing of them is left. */
  async clear(): Promise<void> {
    if (this.daemon.pid === 0) await this.daemon.up();
    const ids = await this.lines('ps', '-aq');
    if (ids.length > 0) await this.cli('rm', '-fv', ...ids);
    await this.cli('volume', 'prune', '-af');
    for (const name of await this.lines('volume', 'ls', '-q')) await this.cli('volume', 'rm', name);
    expect(await this.daemon.leftovers()).toEqual([]);
    expect(await readdir(join(this.daemon.dataRoot, 'volumes'))).toEqual([]);
    expect(this.hostMounts()).toEqual([]);
  }

  async close(): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    if (this.folder !== '') await rm(this.folder, { recursive: true, force: true });
    expect(await this.#daemon?.kernelLeftovers()).toEqual([]);
  }

  readonly hostMounts = () => readMountInfo('self', this.daemon.folder).map(({ mountPoint }) => mountPoint);

  readonly cli = async (...args: string[]) =>
    await execa('docker', ['-H', `unix://${this.daemon.socketPath}`, ...args], {
      timeout: 120_000,
      killSignal: 'SIGKILL',
      reject: false,
    });

  readonly lines = async (...args: string[]) =>
    (await this.cli(...args)).stdout.split('\n').filter((line) => line !== '');

  /** What a shell in a container says; with the flags of `docker run`. */
  readonly say = async (flags: readonly string[], script: string): Promise<string> => {
    const words = ['--rm', '--network=none', ...flags, image, 'sh', '-c', script];
    const { stdout, stderr } = await this.cli('run', ...words);
    return stderr === '' ? stdout : `${stdout}${stdout && '\n'}error: ${stderr.split('\n')[0] ?? ''}`;
  };

  readonly background = async (name: string, ...flags: string[]) => {
    const command = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];
    const words = ['-d', '--network=none', '--name', name, ...flags, image, ...command];
    const { exitCode, stderr } = await this.cli('run', ...words);
    expect([exitCode, stderr]).toEqual([0, '']);
  };

  readonly mountsOf = async (name: string) =>
    JSON.parse((await this.cli('inspect', '-f', '{{json .Mounts}}', name)).stdout);

  /** What the client says of what it is refused. */
  readonly refused = async (...args: string[]) => {
    const { exitCode, stderr } = await this.cli(...args);
    expect(exitCode).not.toBe(0);
    return stderr;
  };
}

/** Each test leaves no container, volume or mount. */
export function describeVolumes(
  title: string,
  tests: (world: VolumeWorld) => void,
  place: DriverPlace = usualPlace,
): void {
  const why = place.why || noClient;
  describe.skipIf(why !== '')(`${title}${why && ` (skipped: ${why})`}`, () => {
    const world = new VolumeWorld();
    beforeAll(() => world.open(place));
    afterEach(() => world.clear());
    afterAll(() => world.close());
    tests(world);
  });
}
