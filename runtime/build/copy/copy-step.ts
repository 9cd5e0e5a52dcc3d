import { writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { HullError } from '../../base/errors.ts';
import { openTree } from '../../storage/with-tree.ts';
import { baseImage } from '../base-image.ts';
import { type BuildJob, stageNamed } from '../job.ts';
import type { CopyRequest } from '../stage.ts';
import { copyInto } from './copy-into.ts';
import { download, isUrl } from './download.ts';
import { checksumOf, findSources, type Source } from './find-sources.ts';
import { modeOf, ownerOf } from './ownership.ts';
import { SourceTree } from './source-tree.ts';

/** Hears how the history knows the copy, and how to make it in a tree; whether it does is its own matter. */
type Take = (comment: string, copy: (root: string) => Promise<void>) => Promise<void>;

/** COPY or ADD: finds the sources, sums them up, and has them copied unless that was done before. */
export async function copyStep(
  job: BuildJob,
  workingDir: string,
  request: CopyRequest,
  take: Take,
): Promise<void> {
  const { instruction, destination, chown, from } = request;
  const mode = modeOf(request.chmod);
  await using tree = await openFrom(job, from);
  const sources = await failing(`${instruction} failed`, () => sourcesOf(job, tree.source, request));
  if (sources.length === 0) {
    throw new HullError(`${instruction} failed: no source files were specified`, { kind: 'invalid' });
  }
  if (sources.length > 1 && !destination.endsWith('/')) {
    throw new HullError(
      `When using ${instruction} with more than one source file, the destination must be a directory and end with a /`,
      { kind: 'invalid' },
    );
  }
  const flags = `${chown && `--chown=${chown}`}${request.chmod && `--chmod=${request.chmod}`}`;
  const target = Buffer.from(absolute(workingDir, destination), 'utf8').toString('latin1');
  await take(`${instruction} ${flags}${checksumOf(sources)} in ${destination} `, (root) =>
    failing('failed to copy files', async () => {
      const keepsOwner = from !== undefined && chown === '';
      const owner = chown === '' ? { uid: 0, gid: 0 } : await ownerOf(chown, root);
      await copyInto(root, sources, target, {
        owner: keepsOwner ? undefined : owner,
        mode,
        unpacks: instruction === 'ADD',
      });
      // The new layer is compared with its parent next, which may be this very tree.
      await tree.close();
    }),
  );
}

async function sourcesOf(
  job: BuildJob,
  tree: SourceTree,
  { instruction, sources, contents, destination, from }: CopyRequest,
): Promise<readonly Source[]> {
  const found: Source[] = [];
  for (const word of sources) {
    if (!isUrl(word)) found.push(...(await findSources(tree, word, from === undefined)));
    else if (instruction === 'COPY')
      throw new HullError("source can't be a URL for COPY", { kind: 'invalid' });
    else {
      const folder = await job.workplace.newFolder();
      found.push(await download(word, { folder, destination, signal: job.signal, output: job.output }));
    }
  }
  for (const { name, content } of contents) {
    const folder = await job.workplace.newFolder();
    await writeFile(join(folder, name), content, { mode: 0o644 });
    found.push(...(await findSources(new SourceTree(folder), name, true)));
  }
  return found;
}

interface OpenSource extends AsyncDisposable {
  readonly source: SourceTree;
  close(): Promise<void>;
}

/** The context, a stage's tree, or another image's. */
async function openFrom(job: BuildJob, from: string | undefined): Promise<OpenSource> {
  const nothing = async () => undefined;
  if (from === undefined)
    return { source: job.workplace.context, close: nothing, [Symbol.asyncDispose]: nothing };
  const stage = stageNamed(job, from) ?? stageNumbered(job, from);
  const image = stage ? stage.image : await baseImage(job, from);
  if (image?.topLayer === undefined) {
    return {
      source: new SourceTree(await job.workplace.newFolder()),
      close: nothing,
      [Symbol.asyncDispose]: nothing,
    };
  }
  const held = await openTree(job.engine.driver, image.topLayer);
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= Promise.resolve(held[Symbol.asyncDispose]());
    return closed;
  };
  return { source: new SourceTree(held.path), close, [Symbol.asyncDispose]: close };
}

function stageNumbered(job: BuildJob, from: string): BuildJob['finished'][number] | undefined {
  if (!/^\d+$/.test(from)) return undefined;
  const stage = job.finished[Number(from)];
  if (stage) return stage;
  const why = Number(from) === job.finished.length ? 'refers to current build stage' : 'index out of bounds';
  throw new HullError(`invalid from flag value ${from}: ${why}`, { kind: 'invalid' });
}

/** Below the working folder where it is not absolute; a slash at the end stays. */
function absolute(workingDir: string, destination: string): string {
  const path = posix.resolve('/', workingDir, destination);
  const isFolder = destination.endsWith('/') || destination === '.' || destination.endsWith('/.');
  return isFolder && path !== '/' ? `${path}/` : path;
}

async function failing<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof HullError)) throw error;
    throw new HullError(`${what}: ${error.message}`, { kind: error.kind, cause: error });
  }
}
