import { HullError } from '../../base/errors.ts';
import { commitContainer } from '../../containers/commit.ts';
import type { Engine } from '../../containers/engine.ts';
import { historyOf } from '../../images/image-history.ts';
import { saveImages } from '../../images/write-archive.ts';
import { type Call, flagOf, param } from '../call.ts';
import { changeOf } from '../image-changes.ts';
import { makeReference } from '../image-names.ts';
import type { Route } from '../router.ts';
import { streamTar } from '../tar-stream.ts';

/** Docker Engine API, "Images": what makes images and writes them out. */
export function imageWritingRoutes(engine: Engine): readonly Route[] {
  const { images, containers } = engine;
  return [
    {
      method: 'POST',
      path: '/commit',
      handle: async ({ query }) => {
        const container = containers.get(query.get('container') ?? '');
        const name = query.get('repo');
        const id = await commitContainer(engine, container, {
          reference: name ? makeReference(name, query.get('tag')) : undefined,
          author: query.get('author') ?? '',
          comment: query.get('comment') ?? '',
          pause: flagOf(query, 'pause', true),
          change: changeOf(query.getAll('changes')),
        });
        return { status: 201, json: { Id: id } };
      },
    },
    {
      method: 'GET',
      path: '/images/:name/history',
      handle: async (call) => {
        const steps = historyOf(await images.get(param(call, 'name')), await images.list());
        return {
          json: steps.map(({ id, tags, created, createdBy, comment, size }) => ({
            Id: id ?? '<missing>',
            Created: Math.floor(Date.parse(created ?? '') / 1000) || 0,
            CreatedBy: createdBy,
            Tags: tags.length > 0 ? tags : null,
            Size: size,
            Comment: comment,
          })),
        };
      },
    },
    {
      method: 'GET',
      path: '/images/get',
      handle: async (call) =>
        await save(
          engine,
          call,
          call.query.getAll('names').flatMap((name) => name.split(',')),
        ),
    },
    {
      method: 'GET',
      path: '/images/:name/get',
      handle: async (call) => await save(engine, call, [param(call, 'name')]),
    },
  ];
}

/** `format=legacy`, hull's own: as Docker wrote archives before 25. */
async function save({ images, events }: Engine, call: Call, names: readonly string[]): Promise<undefined> {
  const format = call.query.get('format') ?? 'oci';
  if (format !== 'oci' && format !== 'legacy') {
    throw new HullError(`Cannot save: format: found ${JSON.stringify(format)}, wanted oci or legacy`, {
      kind: 'invalid',
    });
  }
  const wanted = names.filter((name) => name !== '');
  if (wanted.length === 0) {
    throw new HullError('Cannot save: found no names, wanted at least one image', { kind: 'invalid' });
  }
  await streamTar(call, saveImages(images, wanted, format));
  for (const name of wanted) events.publish('image', 'save', name, { name });
  return undefined;
}
