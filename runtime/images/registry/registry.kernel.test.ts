import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { withRoot } from '../../storage/with-root.ts';
import { digestOf, hexOf } from '../digest.ts';
import { dockerArchive, type FixtureImage, imageOf, ociArchive } from '../image-fixture.ts';
import {
  account,
  CuttingProxy,
  isInstalled,
  makeCertificate,
  RealRegistry,
  TestPlace,
  whyNoRegistry,
} from './registry-fixture.ts';

const reason = await whyNoRegistry();
const noSkopeo = !(await isInstalled('skopeo'));
const noOpenssl = !(await isInstalled('openssl'));
const nobody = { force: false, usedBy: new Map() };
const big = randomBytes(12 * 1024 * 1024);

const smallImage = (text = 'hello') =>
  imageOf([[{ name: 'etc/motd', data: text }], [{ name: 'etc/new', data: 'new' }]]);
const bigImage = () => imageOf([[{ name: 'etc/motd', data: 'hello' }], [{ name: 'big', data: big }]]);

async function load(place: TestPlace, image: FixtureImage, ...names: string[]): Promise<void> {
  for await (const _ of place.store.load(Readable.from([await dockerArchive(image, ...names)])));
}

async function fileOf(place: TestPlace, name: string, file: string): Promise<Buffer> {
  const { topLayer = '' } = await place.store.get(name);
  return withRoot(place.driver, topLayer, (root) => readFile(join(root, file)));
}

/** Nothing of any image, and no bytes for a resume. */
async function expectEmpty({ store, driver, images }: TestPlace): Promise<void> {
  expect(await store.list()).toEqual([]);
  expect(await driver.list()).toEqual([]);
  for (const each of ['blobs/sha256', 'layers', 'spool', 'partial']) {
    expect(await readdir(join(images, each)), each).toEqual([]);
  }
}

async function expectNothingUnfinished({ images }: TestPlace): Promise<void> {
  for (const each of ['spool', 'partial']) expect(await readdir(join(images, each)), each).toEqual([]);
}

const skopeo = async (...args: string[]): Promise<string> =>
  (await execa('skopeo', ['--insecure-policy', ...args])).stdout;
const manifestDigest = async (name: string): Promise<string> =>
  digestOf(await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}`));

describe.skipIf(reason !== '')(`a real registry${reason && ` (skipped: ${reason})`}`, () => {
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
    await using source = await TestPlace.open();
    await load(source, await bigImage(), `${name}:latest`);
    await source.push(`${name}:latest`);
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

  describe('when the connection is cut', () => {
    test('in a blob: the pull goes on by Range from where it was', async () => {
      await using registry = await RealRegistry.start();
      await using source = await TestPlace.open();
      await load(source, await bigImage(), `${registry.host}/big:latest`);
      await source.push(`${registry.host}/big:latest`);
      await using proxy = await CuttingProxy.start(registry.port);
      await using place = await TestPlace.open();
      let cuts = 0;
      proxy.cut = ({ line }) =>
        /GET \/v2\/big\/blobs\//.test(line) && cuts++ < 6
          ? { side: 'response', after: 3_000_000 }
          : undefined;
      await place.pull(`${proxy.host}/big:latest`);
      const ranges = proxy.rangesOf(/blobs/).filter((range) => range !== '-');
      expect(ranges.length).toBeGreaterThan(1);
      expect(ranges.every((range) => /^bytes=[1-9]\d+-$/.test(range))).toBe(true);
      expect(place.statuses()).toContain('Retrying in 1 seconds');
      expect((await fileOf(place, `${proxy.host}/big:latest`, 'big')).equals(big)).toBe(true);
      await expectNothingUnfinished(place);
    });

    test('again and again: the pull fails, leaves the first bytes alone, and the next one needs only the rest', async () => {
      await using registry = await RealRegistry.start();
      await using source = await TestPlace.open();
      await load(source, await bigImage(), `${registry.host}/big:latest`);
      await source.push(`${registry.host}/big:latest`);
      await using proxy = await CuttingProxy.start(registry.port);
      await using place = await TestPlace.open();
      const layer = (await source.store.stored(`${registry.host}/big:latest`)).layerBlobs[1] ?? '';
      let after = 4_000_000;
      proxy.cut = ({ line }) => {
        if (!line.includes(layer)) return undefined;
        const cut = { side: 'response', after } as const;
        after = 400;
        return cut;
      };
      await expect(place.pull(`${proxy.host}/big:latest`)).rejects.toMatchObject({ kind: 'unavailable' });
      expect(await place.store.list()).toEqual([]);
      expect(await readdir(join(place.images, 'spool'))).toEqual([]);
      const [partial = ''] = await readdir(join(place.images, 'partial'));
      const kept = (await stat(join(place.images, 'partial', partial))).size;
      expect(kept).toBeGreaterThan(1024 * 1024);
      // A start keeps it.
      expect(await place.store.reconcile()).toEqual([]);
      proxy.requests.length = 0;
      proxy.cut = () => undefined;
      await place.pull(`${proxy.host}/big:latest`);
      expect(proxy.rangesOf(new RegExp(`blobs/sha256:${partial}`))).toEqual([`bytes=${kept}-`]);
      expect((await fileOf(place, `${proxy.host}/big:latest`, 'big')).equals(big)).toBe(true);
      await expectNothingUnfinished(place);
    });

    test('what was kept and is damaged is fetched anew; what is a day old goes at a start', async () => {
      await using registry = await RealRegistry.start();
      await using source = await TestPlace.open();
      const name = `${registry.host}/big:latest`;
      await load(source, await bigImage(), name);
      await source.push(name);
      const { layerBlobs } = await source.store.stored(name);
      await using place = await TestPlace.open();
      const partial = join(place.images, 'partial', hexOf(layerBlobs[1] ?? ''));
      await writeFile(partial, randomBytes(2 * 1024 * 1024));
      await place.pull(name);
      expect((await fileOf(place, name, 'big')).equals(big)).toBe(true);
      await expectNothingUnfinished(place);
      await writeFile(partial, randomBytes(2 * 1024 * 1024));
      await place.store.reconcile();
      expect(await readdir(join(place.images, 'partial'))).toHaveLength(1);
      await utimes(partial, new Date(), new Date(Date.now() - 25 * 3600 * 1000));
      expect(await place.store.reconcile()).toEqual([`removed stale download ${hexOf(layerBlobs[1] ?? '')}`]);
    });

    test('in an upload: the push goes on, and what arrives is whole', async () => {
      await using registry = await RealRegistry.start();
      await using proxy = await CuttingProxy.start(registry.port);
      await using place = await TestPlace.open();
      const name = `${proxy.host}/big:latest`;
      const image = await bigImage();
      await load(place, image, name);
      let pieces = 0;
      let finishes = 0;
      proxy.cut = ({ line }) => {
        // The second piece in its middle, and an answer that never comes.
        if (/^PATCH/.test(line) && ++pieces === 2) return { side: 'request', after: 1_000_000 };
        if (/^PUT .*blobs/.test(line) && ++finishes === 1) return { side: 'response', after: 0 };
        return undefined;
      };
      await place.push(name);
      expect(pieces).toBeGreaterThan(2);
      await using other = await TestPlace.open();
      expect(await other.pull(`${registry.host}/big:latest`)).toBe(image.id);
      expect((await fileOf(other, `${registry.host}/big:latest`, 'big')).equals(big)).toBe(true);
    });
  });

  test('two pulls at once fetch each blob once', async () => {
    await using registry = await RealRegistry.start();
    await using source = await TestPlace.open();
    await load(source, await bigImage(), `${registry.host}/big:a`, `${registry.host}/big:b`);
    await source.push(`${registry.host}/big`);
    await using proxy = await CuttingProxy.start(registry.port);
    await using place = await TestPlace.open();
    await Promise.all([place.pull(`${proxy.host}/big:a`), place.pull(`${proxy.host}/big:b`)]);
    const asked = proxy.requests.filter(({ line }) => /GET .*blobs/.test(line)).map(({ line }) => line);
    expect(new Set(asked).size).toBe(asked.length);
    expect((await place.store.get(`${proxy.host}/big:a`)).id).toBe(
      (await place.store.get(`${proxy.host}/big:b`)).id,
    );
    await expectNothingUnfinished(place);
  });

  test('a pull that is given up leaves no image, and the one beside it goes on', async () => {
    await using registry = await RealRegistry.start();
    await using source = await TestPlace.open();
    await load(source, await bigImage(), `${registry.host}/big:latest`);
    await source.push(`${registry.host}/big:latest`);
    await using place = await TestPlace.open();
    const controller = new AbortController();
    const reason = new Error('the client has left');
    const name = `${registry.host}/big:latest`;
    const first = place.pull(name, { signal: controller.signal });
    const second = place.pull(name);
    const stop = setInterval(() => {
      if (place.lines.some(({ status }) => status === 'Downloading')) controller.abort(reason);
    }, 1);
    const [given, kept] = await Promise.allSettled([first, second]);
    clearInterval(stop);
    // On a very quick machine the first may be through before.
    if (given.status === 'rejected') expect(given.reason).toBe(reason);
    expect(kept.status).toBe('fulfilled');
    expect((await fileOf(place, name, 'big')).equals(big)).toBe(true);
    await expectNothingUnfinished(place);
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

  test('with users: the right password alone pulls, pushes and logs in', async () => {
    await using registry = await RealRegistry.start({ htpasswd: true });
    const name = `${registry.host}/secret:latest`;
    const wrong = { ...account, password: 'wrong' } as const;
    await using place = await TestPlace.open();
    await load(place, await smallImage(), name);
    for (const credentials of [undefined, wrong]) {
      await expect(place.push(name, credentials)).rejects.toMatchObject({ kind: 'unauthorized' });
    }
    await place.push(name, account);
    await place.store.remove(name, nobody);
    for (const credentials of [undefined, wrong]) {
      const error = await place.pull(name, credentials ? { credentials } : {}).catch((caught) => caught);
      expect(error).toMatchObject({
        kind: 'unauthorized',
        message: expect.stringMatching(/^Cannot pull .*401/),
      });
      expect(error.message).not.toContain('wrong"');
    }
    await expectEmpty(place);
    await place.pull(name, { credentials: account });
    const { signal } = new AbortController();
    await place.registry.checkLogin(registry.host, { credentials: account, signal });
    await expect(
      place.registry.checkLogin(registry.host, { credentials: wrong, signal }),
    ).rejects.toMatchObject({ kind: 'unauthorized' });
  });

  test.skipIf(noOpenssl)(
    'by TLS: an unknown certificate is refused with the way out, and taken from certs.d',
    async () => {
      await using place = await TestPlace.open({ networks: [], hosts: [] });
      const tls = await makeCertificate(place.folder);
      await using registry = await RealRegistry.start({ tls });
      const name = `${registry.host}/safe:latest`;
      await load(place, await smallImage(), name);
      const error = await place.push(name).catch((caught: unknown) => caught);
      expect(error).toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/self-signed certificate/),
        hint: expect.stringContaining(`certs.d/${registry.host}/ca.crt`),
      });
      const certs = join(place.folder, 'certs.d', registry.host);
      await mkdir(certs, { recursive: true });
      await writeFile(join(certs, 'ca.crt'), await readFile(tls.certificate));
      await place.push(name);
      // This machine's own registries need none.
      await using other = await TestPlace.open();
      await other.pull(name);
    },
  );

  test('without TLS is not used where it is not named as insecure', async () => {
    await using registry = await RealRegistry.start();
    await using place = await TestPlace.open({ networks: [], hosts: [] });
    await expect(place.pull(`${registry.host}/name:latest`)).rejects.toMatchObject({
      kind: 'unavailable',
      hint: expect.stringContaining(`--insecure-registry ${registry.host}`),
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
