import { PassThrough } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTestImage } from '../../harness/images/test-image.ts';
import { loadHosts } from '../../harness/matrix/load-hosts.ts';
import { Stand } from '../support/stand.ts';
import { selectEntries } from './select-entries.ts';

/*
 * Debian's own Docker and hull exchange images in the three forms of archives, in a guest with both:
 *
 *     vitest run --project guest scenarios/docker-archives
 */
const hosts = await loadHosts(fileURLToPath(new URL('../../hosts.yaml', import.meta.url)));
const image = await buildTestImage();
const name = 'seatrial/busybox:latest';
const hull = { name: 'overlay', options: {} };
const docker = { name: 'overlay2', options: {} };

/** Of what `save` writes: docker-archive has a manifest that names the layers, the old layout has a folder for each and a list of names. */
const dockerArchive = /^(manifest\.json|[0-9a-f]{64}\.json|[0-9a-f]{64}\/(layer\.tar)?|blobs\/.*)$/;
const oldLayout = /^(repositories|[0-9a-f]{64}\/.*)$/;

describe.each(hosts.map((definition) => ({ title: definition.name, definition })))(
  '$title',
  ({ definition }) => {
    let stand: Stand;
    /** What each engine wrote for the image, and what it said of it. */
    const saved: Record<string, Uint8Array> = {};
    let first: Seen;

    beforeAll(async () => {
      stand = await Stand.open(definition, 'hull', hull, ['docker']);
      first = await load(image.archive);
      saved['hull'] = await save();
      saved['hull, as before 25'] = await save('legacy');
      await stand.use('docker', docker);
      console.log(`${definition.name}: ${(await stand.docker.version()).Version}`);
    });
    afterAll(async () => {
      await stand?.[Symbol.asyncDispose]();
    });

    describe('docker load', () => {
      it.each([
        ['an OCI layout with a manifest.json', 'hull', /./],
        ['a docker-archive', 'hull, as before 25', dockerArchive],
        ['a docker-archive with the old layout in it', 'hull, as before 25', /./],
      ])('takes %s of ours, with the same id and layers', async (_, key, entries) => {
        expect(await load(await selectEntries(saved[key] ?? image.archive, entries))).toEqual(first);
        saved['docker'] = await save();
      });

      // The id is that of a configuration which every version of Docker makes of it in its own way.
      it('takes the old layout alone, with the layers that hull finds in it', async () => {
        const archive = await selectEntries(saved['hull, as before 25'] ?? image.archive, oldLayout);
        const theirs = await load(archive);
        await stand.use('hull', hull);
        expect((await load(archive)).layers).toEqual(theirs.layers);
      });
    });

    describe('hull', () => {
      beforeAll(async () => {
        await stand.use('hull', hull);
      });

      it.each([
        ['as it is', /./],
        ['as a docker-archive alone', dockerArchive],
      ])('takes what docker save wrote, %s, with the same id and layers', async (_, entries) => {
        const archive = saved['docker'];
        if (!archive) throw new Error('docker has saved nothing');
        expect(await load(await selectEntries(archive, entries))).toEqual(first);
      });
    });

    interface Seen {
      readonly id: string;
      readonly layers: readonly string[] | undefined;
    }

    /** Loads it where it is not there yet. */
    async function load(archive: Uint8Array): Promise<Seen> {
      await stand.docker
        .getImage(name)
        .remove()
        .catch(() => undefined);
      const upload = new PassThrough();
      upload.end(archive);
      const said = await text(await stand.docker.loadImage(upload));
      const seen = await stand.docker
        .getImage(name)
        .inspect()
        .catch(() => undefined);
      if (!seen) throw new Error(`Cannot load the archive: ${said}`);
      return { id: seen.Id, layers: seen.RootFS.Layers };
    }

    async function save(format?: string): Promise<Uint8Array> {
      if (format === undefined) return buffer(await stand.docker.getImage(name).get());
      return stand.get(`/images/get?names=${encodeURIComponent(name)}&format=${format}`);
    }
  },
);
