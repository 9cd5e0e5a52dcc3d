import { matchesGlob } from 'node:path';
import type { Engine } from '../containers/engine.ts';
import type { Image } from '../images/image-store.ts';
import { filtersOf, flagOf } from './call.ts';
import { imageUse } from './image-use.ts';
import { imageView } from './image-views.ts';
import { hasLabel } from './list-containers.ts';
import { parseUntil } from './time-filter.ts';

/** GET /images/json. */
export async function listImages(engine: Engine, query: URLSearchParams): Promise<unknown> {
  const filters = filtersOf(query, ['reference', 'label', 'dangling', 'before', 'since', 'until']);
  const use = imageUse(engine);
  const isInTime = await timeFilter(engine, filters);
  const all = await engine.images.list();
  // Steps on the way to another image show only when asked for.
  const parents = flagOf(query, 'all') ? new Set() : new Set(all.map(({ parent }) => parent));
  return all
    .filter((image) => image.tags.length + image.repoDigests.length > 0 || !parents.has(image.id))
    .filter((image) => [...filters].every(([name, values]) => passes(image, name, values)))
    .filter((image) => isInTime(Date.parse(image.createdAt)))
    .toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
    .map((image) => namedBy(image, filters.get('reference')))
    .map((image) => imageView(image, use.get(image.id)?.length ?? 0));
}

/** `before` and `since` name images, `until` a moment. */
async function timeFilter(
  { images }: Engine,
  filters: ReadonlyMap<string, readonly string[]>,
): Promise<(createdMs: number) => boolean> {
  const timesOf = async (filter: string) =>
    await Promise.all(
      (filters.get(filter) ?? []).map(async (name) => Date.parse((await images.get(name)).createdAt)),
    );
  const since = await timesOf('since');
  const before = [...(await timesOf('before')), ...(filters.get('until') ?? []).map(parseUntil)];
  return (created) => since.every((time) => created > time) && before.every((time) => created < time);
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
    case 'dangling':
      return values.some((value) => ['1', 'true'].includes(value) === (tags.length === 0));
    default:
      return true;
  }
}
