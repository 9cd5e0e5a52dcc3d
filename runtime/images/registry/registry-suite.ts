import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect } from 'vitest';
import { withRoot } from '../../storage/with-root.ts';
import type { Digest } from '../digest.ts';
import { dockerArchive, type FixtureImage, imageOf } from '../image-fixture.ts';
import { type RealRegistry, TestPlace, whyNoRegistry } from './registry-fixture.ts';

const reason = await whyNoRegistry();

/** Tests that need Debian's docker-registry. */
export function describeRegistry(title: string, tests: () => void): void {
  describe.skipIf(reason !== '')(`${title}${reason && ` (skipped: ${reason})`}`, tests);
}

export const nobody = { force: false, usedBy: new Map() };
/** Takes a while to send. */
export const big = randomBytes(12 * 1024 * 1024);

export const smallImage = (text = 'hello') =>
  imageOf([[{ name: 'etc/motd', data: text }], [{ name: 'etc/new', data: 'new' }]]);
export const bigImage = () => imageOf([[{ name: 'etc/motd', data: 'hello' }], [{ name: 'big', data: big }]]);

/** For whoever pushes it. */
export async function load(place: TestPlace, image: FixtureImage, ...names: string[]): Promise<void> {
  for await (const _ of place.store.load(Readable.from([await dockerArchive(image, ...names)])));
}

export async function fileOf(place: TestPlace, name: string, file: string): Promise<Buffer> {
  const { topLayer = '' } = await place.store.get(name);
  return withRoot(place.driver, topLayer, (root) => readFile(join(root, file)));
}

/** Nothing of any image, and no bytes for a resume. */
export async function expectEmpty({ store, driver, images }: TestPlace): Promise<void> {
  expect(await store.list()).toEqual([]);
  expect(await driver.list()).toEqual([]);
  for (const each of ['blobs/sha256', 'layers', 'spool', 'partial']) {
    expect(await readdir(join(images, each)), each).toEqual([]);
  }
}

export async function expectNothingUnfinished({ images }: TestPlace): Promise<void> {
  for (const each of ['spool', 'partial']) expect(await readdir(join(images, each)), each).toEqual([]);
}

/** Pushes the big image, under tags, from a store that is gone then. Answers its layers' blobs. */
export async function publishBig({ host }: RealRegistry, ...tags: string[]): Promise<readonly Digest[]> {
  await using source = await TestPlace.open();
  const names = tags.map((tag) => `${host}/big:${tag}`);
  await load(source, await bigImage(), ...names);
  for (const name of names) await source.push(name);
  return (await source.store.stored(names[0] ?? '')).layerBlobs;
}
