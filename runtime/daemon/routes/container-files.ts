import { HullError } from '../../base/errors.ts';
import { archiveOf, extractInto, type FileFacts, goFileMode, statFile } from '../../containers/archive.ts';
import { changesOf, exportOf } from '../../containers/changes.ts';
import type { Engine } from '../../containers/engine.ts';
import { publishContainer } from '../../containers/publish.ts';
import { type Call, flagOf, param } from '../call.ts';
import type { Route } from '../router.ts';
import { streamTar } from '../tar-stream.ts';

/** Docker Engine API, "Containers": their files. */
export function containerFileRoutes(engine: Engine): readonly Route[] {
  const find = (call: Call) => engine.containers.get(param(call, 'id'));
  const numbers = { C: 0, A: 1, D: 2 } as const;
  return [
    {
      method: 'GET',
      path: '/containers/:id/changes',
      handle: async (call) => {
        const changes = await changesOf(engine, find(call));
        return { json: changes.map(({ path, kind }) => ({ Path: path, Kind: numbers[kind] })) };
      },
    },
    {
      method: 'HEAD',
      path: '/containers/:id/archive',
      handle: async (call) => {
        call.response.setHeader(statHeader, statText(await statFile(engine, find(call), pathOf(call))));
        return { status: 200 };
      },
    },
    {
      method: 'GET',
      path: '/containers/:id/archive',
      handle: async (call) => {
        const tell = (facts: FileFacts) => call.response.setHeader(statHeader, statText(facts));
        await streamTar(call, archiveOf(engine, find(call), pathOf(call), tell));
        return undefined;
      },
    },
    {
      method: 'PUT',
      path: '/containers/:id/archive',
      handle: async (call) => {
        const keepKind = flagOf(call.query, 'noOverwriteDirNonDir');
        await extractInto(engine, find(call), pathOf(call), call.request, { keepKind });
        return { status: 200 };
      },
    },
    {
      method: 'GET',
      path: '/containers/:id/export',
      handle: async (call) => {
        const container = find(call);
        await streamTar(call, exportOf(engine, container));
        publishContainer(engine, container, 'export');
        return undefined;
      },
    },
  ];
}

const statHeader = 'X-Docker-Container-Path-Stat';

function statText({ name, size, mode, modifiedAt, linkTarget }: FileFacts): string {
  const facts = { name, size, mode: goFileMode(mode), mtime: modifiedAt.toISOString(), linkTarget };
  return Buffer.from(JSON.stringify(facts)).toString('base64');
}

function pathOf({ query }: Call): string {
  const path = query.get('path');
  if (path) return path;
  throw new HullError('Cannot copy: path: found none, wanted a path in the container', { kind: 'invalid' });
}
