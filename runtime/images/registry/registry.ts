import { readFile } from 'node:fs/promises';
import type { Digest } from '../digest.ts';
import { type Descriptor, parseConfig } from '../documents.ts';
import type { Credentials } from './credentials.ts';
import type { ImageDepot } from './depot.ts';
import { Downloads } from './downloads.ts';
import { type InsecureRegistries, isInsecure } from './insecure.ts';
import { fetchManifest } from './manifests.ts';
import type { Partials } from './partials.ts';
import type { Platform } from './platform.ts';
import type { ProgressSink } from './progress.ts';
import { pullImage } from './pull.ts';
import { pushImage } from './push.ts';
import { doing, RegistryError } from './registry-error.ts';
import { formatRemoteName, type RemoteName } from './remote-name.ts';
import { RegistrySession } from './session.ts';
import { Slots } from './slots.ts';
import { listTags } from './tags.ts';
import { defaultRegistryTiming, type RegistryTiming } from './timing.ts';

export interface RegistryOptions {
  readonly depot: ImageDepot;
  readonly partials: Partials;
  readonly insecure: InsecureRegistries;
  /** Default: /etc/docker/certs.d. */
  readonly certificates?: string;
  readonly timing?: RegistryTiming;
}

export interface Asking {
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal;
}

/** As Docker's max-concurrent-uploads. */
const uploadsAtOnce = 5;

/**
 * Images from and to registries by the OCI distribution protocol. Errors say `Cannot pull <name>: …` and are of the kinds `not-found`,
 * `unauthorized`, `unavailable` (after bounded retries), `unsupported`, `exhausted` and `invalid` (what the registry sent is wrong).
 */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #downloads: Downloads;
  readonly #uploads = new Slots(uploadsAtOnce);

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#downloads = new Downloads(options.partials);
  }

  get insecure(): InsecureRegistries {
    return this.#options.insecure;
  }

  /** One image, or all tags of a repository where the name has neither tag nor digest. Answers the names as pulled, and the ids. */
  async pull(
    name: RemoteName,
    asking: Asking & { readonly platform: Platform | undefined; readonly progress: ProgressSink },
  ): Promise<readonly { readonly name: RemoteName; readonly id: Digest }[]> {
    const { platform, progress } = asking;
    return await this.#session(`pull ${formatRemoteName(name)}`, name, asking, async (session, abort) => {
      const isOne = name.tag !== undefined || name.digest !== undefined;
      const names = isOne ? [name] : (await listTags(session, name.path)).map((tag) => ({ ...name, tag }));
      const pulled: { name: RemoteName; id: Digest }[] = [];
      for (const each of names) {
        const { depot } = this.#options;
        const downloads = this.#downloads;
        pulled.push({
          name: each,
          id: await pullImage({ session, depot, downloads, name: each, platform, progress, abort }),
        });
      }
      return pulled;
    });
  }

  /** One tag, or all local tags of a repository. Kind `not-found` where the store has none. */
  async push(name: RemoteName, asking: Asking & { readonly progress: ProgressSink }): Promise<void> {
    const { depot } = this.#options;
    const { progress } = asking;
    const action = `push ${formatRemoteName(name)}`;
    const tags = this.#localTags(name);
    // Before the first line, so that what is not there is a status.
    for (const tag of tags) await depot.stored(`${name.repository}:${tag}`);
    if (name.digest !== undefined || tags.length === 0) {
      throw new RegistryError(`found no tag of ${name.repository}, wanted one to push`, {
        kind: 'not-found',
      });
    }
    progress({ status: `The push refers to repository [${name.host}/${name.path}]` });
    await this.#session(action, name, asking, async (session, abort) => {
      for (const tag of tags) {
        await pushImage({ session, depot, slots: this.#uploads, name: { ...name, tag }, progress, abort });
      }
    });
  }

  /** Kind `unauthorized` where the registry does not take the credentials. */
  async checkLogin(host: string, asking: Asking): Promise<void> {
    const name = { host, path: '', repository: host };
    await this.#session(`log in to ${host}`, name, asking, (session) => session.checkLogin());
  }

  /** What a registry has under a name, without pulling it, and for which platforms. */
  async describe(
    name: RemoteName,
    asking: Asking,
  ): Promise<{
    readonly descriptor: Pick<Descriptor, 'digest' | 'size' | 'mediaType'>;
    readonly platforms: readonly Platform[];
  }> {
    return await this.#session(`inspect ${formatRemoteName(name)}`, name, asking, async (session) => {
      const found = await fetchManifest(session, name.path, name.digest ?? name.tag ?? 'latest');
      const { digest, size, mediaType } = found;
      const descriptor = { digest, size, mediaType };
      if (found.kind === 'index') {
        const platforms = found.index.manifests.flatMap(({ platform }) => (platform ? [platform] : []));
        return { descriptor, platforms };
      }
      const { config } = found.manifest;
      await using spool = await this.#options.depot.openSpool();
      const blob = await this.#downloads.fetch(
        session,
        name.path,
        config,
        () => undefined,
        (file) => spool.link(file, config.digest),
      );
      const { os, architecture, variant } = parseConfig(await readFile(blob.path, 'utf8'), 'its config');
      return { descriptor, platforms: [{ os, architecture, variant }] };
    });
  }

  /** Whether Docker would call it secure. */
  async isSecure(host: string): Promise<boolean> {
    return !(await isInsecure(host, this.#options.insecure));
  }

  #localTags({ repository, tag }: RemoteName): readonly string[] {
    if (tag !== undefined) return [tag];
    const start = `${repository}:`;
    return this.#options.depot
      .entries()
      .flatMap(({ references }) => references.filter((each) => each.startsWith(start)))
      .map((each) => each.slice(start.length))
      .filter((each) => !each.includes('/'))
      .toSorted();
  }

  async #session<T>(
    action: string,
    { host }: RemoteName,
    { credentials, signal }: Asking,
    work: (session: RegistrySession, abort: (reason: unknown) => void) => Promise<T>,
  ): Promise<T> {
    const { insecure, certificates = '/etc/docker/certs.d', timing = defaultRegistryTiming } = this.#options;
    const failed = new AbortController();
    return await doing(action, async () => {
      using session = await RegistrySession.open({
        host,
        credentials,
        insecure,
        certificates,
        timing,
        signal: AbortSignal.any([signal, failed.signal]),
      });
      return await work(session, (reason) => failed.abort(reason));
    });
  }
}
