import { HullError } from '../base/errors.ts';
import type { Image } from '../images/image-store.ts';
import { formatRemoteName, parseRemoteName } from '../images/registry/remote-name.ts';
import type { BuildJob } from './job.ts';

/** The image that a FROM or --from names: from the store, else pulled, or pulled in any case. Errors of `get` and `pull`. */
export async function baseImage(job: BuildJob, name: string): Promise<Image> {
  const { engine, request } = job;
  if (!request.pulls) {
    try {
      return await engine.images.get(name);
    } catch (error) {
      if (!(error instanceof HullError && error.kind === 'not-found')) throw error;
    }
  }
  const remote = parseRemoteName(name, '');
  const wanted =
    remote.tag === undefined && remote.digest === undefined ? { ...remote, tag: 'latest' } : remote;
  const pulled = await (await engine.registry()).pull(wanted, {
    credentials: request.credentials(wanted.host),
    signal: job.signal,
    platform: undefined,
    progress: (line) => job.output.line(line),
  });
  engine.events.publish('image', 'pull', formatRemoteName(wanted), { name: wanted.repository });
  return await engine.images.get(pulled[0]?.id ?? name);
}
