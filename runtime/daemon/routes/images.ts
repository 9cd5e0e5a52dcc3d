import { Readable } from 'node:stream';
import { HullError } from '../../base/errors.ts';
import type { Engine } from '../../containers/engine.ts';
import { fetchUrl } from '../../images/fetch-url.ts';
import type { ImageConfigChanges, ImageProgress, ImageReference } from '../../images/image-store.ts';
import { type Call, flagOf, param } from '../call.ts';
import { changeOf } from '../image-changes.ts';
import { makeReference } from '../image-names.ts';
import { imageUse } from '../image-use.ts';
import { inspectImage } from '../image-views.ts';
import { listImages } from '../list-images.ts';
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
  call: Call,
  reference: ImageReference | undefined,
  changes: ImageConfigChanges,
): AsyncGenerator<ImageProgress> {
  const source = call.query.get('fromSrc');
  if (source === null || source === '')
    throw new HullError('Cannot import an image: found no fromSrc, wanted "-" or a URL', { kind: 'invalid' });
  const url = source === '-' ? undefined : urlOf(source);
  if (url) yield { status: `Downloading from ${url}` };
  const archive = url ? await download(url, call.signal) : call.request;
  const id = await engine.images.import(archive, reference, changes);
  engine.events.publish('image', 'import', id, {});
  yield { status: id };
}

/** As Docker: without a scheme it is http. */
function urlOf(source: string): string {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(source) ? source : `http://${source}`;
  if (/^https?:/i.test(url) && URL.canParse(url)) return url;
  throw new HullError(`Cannot import from ${JSON.stringify(source)}: wanted "-" or an http or https URL`, {
    kind: 'invalid',
  });
}

async function download(url: string, signal: AbortSignal): Promise<Readable> {
  const { body } = await fetchUrl(url, signal);
  return body ? Readable.fromWeb(body) : Readable.from([]);
}

/** Of a quiet one only what has come of it. */
async function streamProgress(call: Call, lines: AsyncIterable<ImageProgress>, quiet = false): Promise<void> {
  await streamLines(call, async (write) => {
    for await (const line of lines) if (!quiet || line.status === undefined) write(line);
  });
}
