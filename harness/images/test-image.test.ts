import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { extract, type Header } from 'tar-stream';
import { expect, it } from 'vitest';
import { buildTestImage } from './test-image.ts';

const busybox = '/bin/busybox';
const missing = existsSync(busybox) ? '' : ` (skipped: ${busybox} is missing, package busybox-static)`;

it.skipIf(missing !== '')(`has the same digests each time it is made${missing}`, async () => {
  const [one, other] = [await buildTestImage(), await buildTestImage()];
  expect(other.id).toBe(one.id);
  expect(Buffer.from(other.archive).equals(one.archive)).toBe(true);
});

it.skipIf(missing !== '')(`holds links, a user, a whiteout and an opaque folder${missing}`, async () => {
  const image = await buildTestImage();
  const outer = await entries(image.archive);
  const layers: Map<string, { header: Header; data: Buffer }>[] = [];
  for (const id of image.diffIds) {
    const layer = outer.get(`${id.slice(7)}/layer.tar`);
    layers.push(await entries(layer?.data ?? Buffer.alloc(0)));
  }
  const [first, second, third] = layers;
  expect(layers).toHaveLength(3);
  expect(first?.get('bin/sh')?.header).toMatchObject({ type: 'link', linkname: 'bin/busybox' });
  expect(first?.get('bin/sleep')?.header).toMatchObject({ type: 'symlink', linkname: 'busybox' });
  expect(second?.get('etc/passwd')?.data.toString()).toContain('sailor:x:1000:1000');
  expect([...(third?.keys() ?? [])]).toContain('etc/.wh.obsolete');
  expect([...(third?.keys() ?? [])]).toContain('var/cargo/.wh..wh..opq');
});

async function entries(archive: Uint8Array): Promise<Map<string, { header: Header; data: Buffer }>> {
  const found = new Map<string, { header: Header; data: Buffer }>();
  const tar = extract();
  Readable.from([Buffer.from(archive)]).pipe(tar);
  for await (const entry of tar) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(Buffer.from(chunk as Uint8Array));
    found.set(entry.header.name.replace(/\/$/, ''), { header: entry.header, data: Buffer.concat(chunks) });
  }
  return found;
}
