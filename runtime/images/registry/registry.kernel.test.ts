import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../digest.ts';
import { ociArchive } from '../image-fixture.ts';
import { isInstalled, RealRegistry, TestPlace } from './registry-fixture.ts';
import {
  describeRegistry,
  expectEmpty,
  expectNothingUnfinished,
  fileOf,
  load,
  nobody,
  publishBig,
  smallImage,
} from './registry-suite.ts';

const noSkopeo = !(await isInstalled('skopeo'));

const skopeo = async (...args: string[]): Promise<string> =>
  (await execa('skopeo', ['--insecure-policy', ...args])).stdout;
const manifestDigest = async (name: string): Promise<string> =>
  digestOf(await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}`));

describeRegistry('a real registry', () => {
  test('takes what is pushed, gives it back elsewhere with the same id, and has it all the second time', async () => {
    await using registry = await RealRegistry.start();
    const image = await smallImage();
    const name = `${registry.host}/team/name:v1`;
    let digest: string;
    {
      await using place = await TestPlace.open();
      await load(place, image, name);
      await place.push(name);
      const lines = place.statuses();
      expect(lines[0]).toBe(`The push refers to repository [${registry.host}/team/name]`);
      expect(lines.filter((line) => line === 'Pushed')).toHaveLength(2);
      digest = /^v1: digest: (sha256:[0-9a-f]{64}) size: \d+$/.exec(lines.at(-1) ?? '')?.[1] ?? '';
      const before = await place.store.get(name);
      expect(before.repoDigests).toEqual([`${registry.host}/team/name@${digest}`]);
      await place.push(name);
      expect(place.statuses().filter((line) => line === 'Layer already exists')).toHaveLength(2);
      // Layers are compressed once, and kept so.
      const stored = await place.store.stored(name);
      expect(stored.manifestText).toContain('tar+gzip');
      expect(await readdir(join(place.images, 'blobs/sha256'))).toHaveLength(4);
      await expectNothingUnfinished(place);
    }
    await using place = await TestPlace.open();
    expect(await place.pull(name)).toBe(image.id);
    const statuses = place.statuses();
    expect(statuses[0]).toBe('Pulling from team/name');
    expect(statuses.slice(-2)).toEqual([`Digest: ${digest}`, `Status: Downloaded newer image for ${name}`]);
    expect(statuses.filter((line) => line === 'Pull complete')).toHaveLength(2);
    expect((await fileOf(place, name, 'etc/motd')).toString()).toBe('hello');
    expect(await place.pull(`${registry.host}/team/name@${digest}`)).toBe(image.id);
    expect(place.statuses().at(-1)).toBe(
      `Status: Image is up to date for ${registry.host}/team/name@${digest}`,
    );
    expect((await place.store.get(`${registry.host}/team/name@${digest}`)).id).toBe(image.id);
    await expectNothingUnfinished(place);
    await place.store.remove(name, nobody);
    await expectEmpty(place);
  });

  test('bytes of progress grow to the layer’s size, under its short id', async () => {
    await using registry = await RealRegistry.start();
    const name = `${registry.host}/big`;
    await publishBig(registry, 'latest');
    await using place = await TestPlace.open();
    await place.pull(`${name}:latest`);
    const { layerBlobs } = await place.store.stored(`${name}:latest`);
    for (const status of ['Downloading', 'Extracting']) {
      for (const digest of layerBlobs) {
        const steps = place.lines.filter(
          (line) => line.id === hexOf(digest).slice(0, 12) && line.status === status,
        );
        const seen = steps.map(({ progressDetail }) => progressDetail?.current ?? 0);
        const { size } = await stat(join(place.images, 'blobs/sha256', hexOf(digest)));
        expect(seen).toEqual(seen.toSorted((a, b) => a - b));
        expect(seen.at(-1)).toBe(size);
        expect(steps.every(({ progressDetail }) => progressDetail?.total === size)).toBe(true);
      }
    }
  });

  test('gives and takes all tags of a repository; a layer of another repository is mounted', async () => {
    await using registry = await RealRegistry.start();
    const name = `${registry.host}/many`;
    await using place = await TestPlace.open();
    await load(place, await smallImage('one'), `${name}:one`, `${registry.host}/other:x`);
    await load(place, await smallImage('two'), `${name}:two`);
    await place.push(name);
    place.statuses();
    await place.push(`${registry.host}/other:x`);
    expect(place.statuses().filter((line) => line === 'Mounted from many')).toHaveLength(2);
    await using other = await TestPlace.open();
    await other.pull(name);
    expect((await other.store.list()).flatMap(({ tags }) => tags).toSorted()).toEqual([
      `${name}:one`,
      `${name}:two`,
    ]);
    await expect(place.push(`${registry.host}/absent`)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(other.pull(`${name}:three`)).rejects.toThrow(
      new RegExp(`^Cannot pull ${name}:three: found status 404 \\(MANIFEST_UNKNOWN`),
    );
  });

  test('of several platforms the fitting image comes, under the index’s digest', async () => {
    await using registry = await RealRegistry.start();
    await using source = await TestPlace.open();
    const name = `${registry.host}/multi`;
    const manifests: object[] = [];
    for (const platform of [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm', variant: 'v6' },
    ]) {
      const image = await smallImage(JSON.stringify(platform));
      const config = JSON.stringify({ ...JSON.parse(image.config), ...platform });
      const tag = `${name}:${platform.architecture}`;
      await load(source, { ...image, config, id: digestOf(config) }, tag);
      await source.push(tag);
      const { manifest } = await source.store.stored(tag);
      manifests.push({ ...manifest, platform });
    }
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
    const put = await fetch(`http://${registry.host}/v2/multi/manifests/latest`, {
      method: 'PUT',
      headers: { 'Content-Type': mediaType },
      body: index,
    });
    expect(put.status).toBe(201);
    await using place = await TestPlace.open();
    await place.pull(`${name}:latest`, { platform: 'linux/amd64' });
    const amd64 = await place.store.get(`${name}:latest`);
    expect(amd64.config.architecture).toBe('amd64');
    expect(amd64.repoDigests).toEqual([`${name}@${digestOf(index)}`]);
    await place.pull(`${name}:latest`, { platform: 'linux/arm/v7' });
    const arm = await place.store.get(`${name}:latest`);
    expect(arm.config).toMatchObject({ architecture: 'arm', variant: 'v6' });
    await expect(place.pull(`${name}:latest`, { platform: 'linux/s390x' })).rejects.toThrow(
      'found images for linux/amd64, linux/arm/v6, wanted linux/s390x',
    );
    await expect(place.pull(`${name}:arm`, { platform: 'linux/amd64' })).rejects.toThrow(
      'found an image for linux/arm/v6, wanted linux/amd64',
    );
    const described = await place.registry.describe(
      { host: registry.host, path: 'multi', repository: name, tag: 'latest' },
      { credentials: undefined, signal: new AbortController().signal },
    );
    expect(described).toEqual({
      descriptor: { mediaType, digest: digestOf(index), size: index.length },
      platforms: [
        { os: 'linux', architecture: 'amd64' },
        { os: 'linux', architecture: 'arm', variant: 'v6' },
      ],
    });
  });

  describe.skipIf(noSkopeo)(`with skopeo${noSkopeo ? ' (skipped: skopeo is not installed)' : ''}`, () => {
    test.each(['oci', 'v2s2'])(
      'hull pulls what it pushed as %s, and it pulls what hull pushed: same digests',
      async (format) => {
        await using registry = await RealRegistry.start();
        await using place = await TestPlace.open();
        const image = await smallImage();
        await writeFile(join(place.folder, 'image.tar'), await ociArchive(image, 'latest'));
        const from = `${registry.host}/from/skopeo:latest`;
        const to = `${registry.host}/from/hull:latest`;
        await skopeo(
          ...['copy', '--dest-tls-verify=false', '--format', format],
          ...[`oci-archive:${place.folder}/image.tar`, `docker://${from}`],
        );
        const pushed = await manifestDigest(from);
        const id = await place.pull(from);
        expect((await place.store.get(from)).repoDigests).toEqual([`${registry.host}/from/skopeo@${pushed}`]);
        const [repository = '', tag = ''] = [to.slice(0, -':latest'.length), 'latest'];
        await place.store.tag(from, { repository, tag });
        await place.push(to);
        expect(await manifestDigest(to)).toBe(pushed);
        await using elsewhere = await RealRegistry.start();
        const far = `${elsewhere.host}/far`;
        await place.store.tag(from, { repository: far, tag });
        await place.push(`${far}:latest`);
        expect(await manifestDigest(`${far}:latest`)).toBe(pushed);
        await skopeo(
          ...['copy', '--src-tls-verify=false', `docker://${far}:latest`, `dir:${place.folder}/back`],
        );
        const back: unknown = JSON.parse(await readFile(join(place.folder, 'back/manifest.json'), 'utf8'));
        expect(back).toMatchObject({ config: { digest: id } });
        // And its own folder is still a layout that skopeo reads; of a layout it takes OCI manifests alone.
        if (format === 'oci')
          await skopeo('copy', `oci:${place.images}:${from}`, `dir:${place.folder}/layout`);
      },
    );
  });
});
