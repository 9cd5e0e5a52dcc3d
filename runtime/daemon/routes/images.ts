import { matchesGlob } from 'node:path';
import { HullError } from '../../base/errors.ts';
import type { Engine } from '../../containers/engine.ts';
import type { Image, ImageConfigChanges, ImageProgress, ImageReference } from '../../images/image-store.ts';
import { type Call, filtersOf, flagOf, param } from '../call.ts';
import { changeOf } from '../image-changes.ts';
import { makeReference } from '../image-names.ts';
import { imageUse } from '../image-use.ts';
import { imageView, inspectImage } from '../image-views.ts';
import { hasLabel } from '../list-containers.ts';
import { streamLines } from '../progress-stream.ts';
import type { Route } from '../router.ts';
import { pullRoute } from './registry.ts';

/** Docker Engine API, "Images". */
export function imageRoutes(engine: Engine): readonly Route[] {
  const { images, events } = engine;
  return [
    {
      method: 'GET',
      path: '/images/json',
      handle: async ({ query }) => ({ json: await listImages(engine, query) }),
    },
    {
      method: 'GET',
      path: '/images/:name/json',
      handle: async (call) => ({
        json: inspectImage(await images.get(param(call, 'name')), engine.driver.name),
      }),
    },
    {
      method: 'POST',
      path: '/images/load',
      handle: async (call) => {
        const quiet = flagOf(call.query, 'quiet');
        await streamProgress(call, images.load(call.request), quiet);
        events.publish('image', 'load', '', {});
        return undefined;
      },
    },
    {
      method: 'POST',
      path: '/images/create',
      handle: async (call) => {
        const { query } = call;
        const fromImage = query.get('fromImage');
        if (fromImage) return await pullRoute(engine, call, fromImage);
        expectBody(query);
        const name = query.get('repo');
        const reference = name ? makeReference(name, query.get('tag')) : undefined;
        const changes = await changeOf(query.getAll('changes'))({});
        await streamProgress(call, importImage(engine, call, reference, changes));
        return undefined;
      },
    },
    {
      method: 'POST',
      path: '/images/:name/tag',
      handle: async (call) => {
        const name = param(call, 'name');
        const repository = call.query.get('repo');
        if (!repository) throw new HullError('Cannot tag an image: repo is empty', { kind: 'invalid' });
        const reference = makeReference(repository, call.query.get('tag'));
        await images.tag(name, reference);
        const { id } = await images.get(name);
        events.publish('image', 'tag', id, { name: `${reference.repository}:${reference.tag}` });
        return { status: 201 };
      },
    },
    {
      method: 'DELETE',
      path: '/images/:name',
      handle: async (call) => {
        const removed = await images.remove(param(call, 'name'), {
          force: flagOf(call.query, 'force'),
          usedBy: imageUse(engine),
          keepParents: flagOf(call.query, 'noprune'),
        });
        for (const removal of removed) {
          if ('untagged' in removal)
            events.publish('image', 'untag', removal.untagged, { name: removal.untagged });
          else events.publish('image', 'delete', removal.deleted, { name: removal.deleted });
        }
        return {
          json: removed.map((removal) =>
            'untagged' in removal ? { Untagged: removal.untagged } : { Deleted: removal.deleted },
          ),
        };
      },
    },
  ];
}

async function* importImage(
  engine: Engine,
  { request }: Call,
  reference: ImageReference | undefined,
  changes: ImageConfigChanges,
): AsyncGenerator<ImageProgress> {
  const id = await engine.images.import(request, reference, changes);
  engine.events.publish('image', 'import', id, {});
  yield { status: id };
}

function expectBody(query: URLSearchParams): void {
  const source = query.get('fromSrc');
  if (source !== '-') {
    throw new HullError(
      `Cannot import from ${JSON.stringify(source)}: wanted fromSrc=- with the archive as the request's body`,
      { kind: 'unsupported' },
    );
  }
}

/** Of a quiet one only what has come of it. */
async function streamProgress(call: Call, lines: AsyncIterable<ImageProgress>, quiet = false): Promise<void> {
  await streamLines(call, async (write) => {
    for await (const line of lines) if (!quiet || line.status === undefined) write(line);
  });
}

async function listImages(engine: Engine, query: URLSearchParams): Promise<unknown> {
  const filters = filtersOf(query, ['reference', 'label', 'dangling']);
  const use = imageUse(engine);
  const all = await engine.images.list();
  // Steps on the way to another image show only when asked for.
  const parents = flagOf(query, 'all') ? new Set() : new Set(all.map(({ parent }) => parent));
  return all
    .filter((image) => image.tags.length + image.repoDigests.length > 0 || !parents.has(image.id))
    .filter((image) => [...filters].every(([name, values]) => passes(image, name, values)))
    .toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
    .map((image) => namedBy(image, filters.get('reference')))
    .map((image) => imageView(image, use.get(image.id)?.length ?? 0));
}

/** Of an image found by a name's pattern, the names that fit it. */
function namedBy(image: Image, patterns: readonly string[] | undefined): Image {
  if (!patterns) return image;
  return {
    ...image,
    tags: image.tags.filter((name) => fitsName(name, patterns)),
    repoDigests: image.repoDigests.filter((name) => fitsName(name, patterns)),
  };
}

/** As Docker: the whole name or the repository alone. */
function fitsName(name: string, patterns: readonly string[]): boolean {
  const repository = name.includes('@')
    ? name.slice(0, name.indexOf('@'))
    : name.slice(0, name.lastIndexOf(':'));
  return patterns.some((pattern) => matchesGlob(name, pattern) || matchesGlob(repository, pattern));
}

function passes({ tags, repoDigests, config }: Image, filter: string, values: readonly string[]): boolean {
  switch (filter) {
    case 'reference':
      return [...tags, ...repoDigests].some((name) => fitsName(name, values));
    case 'label':
      return values.every((value) => hasLabel(config.config?.Labels ?? {}, value));
    default:
      return values.some((value) => ['1', 'true'].includes(value) === (tags.length === 0));
  }
}
