import { HullError } from '../../base/errors.ts';
import type { Engine } from '../../containers/engine.ts';
import { commitImage } from '../../images/commit-image.ts';
import type { Digest } from '../../images/digest.ts';
import { findImage } from '../../images/find-image.ts';
import type { ImageConfig } from '../../images/image-store.ts';
import type { StoredImage } from '../../images/registry/depot.ts';
import { inOrder, type RunConfig, runConfigOf, sameForCache } from '../run-config.ts';

/**
 * Docker's layer cache: an instruction was made before where an image has the stage's image as its parent and was made by the same
 * `container_config`. Once one was not, none behind it in the stage is looked up any more.
 */
export class LayerCache {
  readonly #engine: Engine;
  readonly #isUsed: boolean;
  /** `--cache-from`: only what led to one of these counts; that may be without parents here, as pulled. */
  #sources: readonly StoredImage[] | undefined;

  private constructor(engine: Engine, isUsed: boolean, sources: readonly StoredImage[] | undefined) {
    this.#engine = engine;
    this.#isUsed = isUsed;
    this.#sources = sources;
  }

  static async open(engine: Engine, isUsed: boolean, cacheFrom: readonly string[]): Promise<LayerCache> {
    if (cacheFrom.length === 0) return new LayerCache(engine, isUsed, undefined);
    const sources: StoredImage[] = [];
    for (const name of cacheFrom) {
      try {
        sources.push(await engine.images.stored(name));
      } catch (error) {
        // As Docker: a source that is not here is none.
        if (!(error instanceof HullError)) throw error;
        engine.log.debug('cache source not found', { name });
      }
    }
    return new LayerCache(engine, isUsed, sources);
  }

  /** For one stage: an answer of undefined is the last lookup of it. */
  forStage(): (parent: string | undefined, config: RunConfig) => Promise<Digest | undefined> {
    let isOver = !this.#isUsed;
    return async (parent, config) => {
      const found = isOver ? undefined : await this.#find(parent, config);
      isOver ||= found === undefined;
      return found;
    };
  }

  async #find(parent: string | undefined, config: RunConfig): Promise<Digest | undefined> {
    const local = await this.#local(parent, config);
    if (!this.#sources) return local;
    if (local !== undefined && this.#sources.some((source) => this.#leadsTo(local, source.id))) return local;
    return await this.#fromSources(this.#sources, parent, config);
  }

  /** The newest image that was made here in the same way. */
  async #local(parent: string | undefined, config: RunConfig): Promise<Digest | undefined> {
    const steps = parent === undefined ? 0 : this.#historyOf(parent).length;
    let newest: { id: Digest; created: string } | undefined;
    for (const entry of this.#engine.images.entries()) {
      // Without a parent many images are found, of which only those of one step can be meant.
      if (entry.parent !== parent || (entry.config.history ?? []).length !== steps + 1) continue;
      const made = containerConfigOf(entry.config);
      const created = entry.config.created ?? '';
      if (!made || !sameForCache(made, config) || (newest && newest.created > created)) continue;
      newest = { id: entry.id, created };
    }
    return newest?.id;
  }

  #leadsTo(ancestor: Digest, id: Digest): boolean {
    const byId = new Map(this.#engine.images.entries().map((entry) => [entry.id, entry]));
    for (let at = byId.get(id); at; at = at.parent === undefined ? undefined : byId.get(at.parent)) {
      if (at.id === ancestor) return true;
    }
    return false;
  }

  /** By their histories: the next line of one must be this instruction. The image of that step is made of its layers. */
  async #fromSources(
    sources: readonly StoredImage[],
    parent: string | undefined,
    config: RunConfig,
  ): Promise<Digest | undefined> {
    const before = parent === undefined ? [] : this.#historyOf(parent);
    const below = parent === undefined ? [] : (await this.#engine.images.get(parent)).config.rootfs.diff_ids;
    for (const source of sources) {
      const { history = [], rootfs } = source.config;
      const line = history[before.length];
      const follows =
        line?.['created_by'] === (config.Cmd ?? []).join(' ') &&
        before.every((step, at) => sameStep(step, history[at])) &&
        below.every((diffId, at) => diffId === rootfs.diff_ids[at]);
      if (!line || !follows) continue;
      // Jumping between sources would mix them.
      this.#sources = [source];
      if (history.length === before.length + 1) return source.id;
      return await this.#restore(source, parent, config, line, below.length);
    }
    return undefined;
  }

  async #restore(
    source: StoredImage,
    parent: string | undefined,
    config: RunConfig,
    line: Readonly<Record<string, unknown>>,
    index: number,
  ): Promise<Digest> {
    const layer = line['empty_layer'] === true ? undefined : source.layerBlobs[index];
    return await commitImage(this.#engine.images, {
      parent,
      changes: undefined,
      ...(layer !== undefined && {
        layer: { blob: layer, diffId: source.config.rootfs.diff_ids[index] ?? '' },
      }),
      config: { ...inOrder(config), Cmd: null },
      container: '',
      containerConfig: inOrder(config),
      createdBy: (config.Cmd ?? []).join(' '),
      created: String(line['created'] ?? ''),
      author: '',
      comment: '',
      reference: undefined,
    });
  }

  #historyOf(id: string): readonly Readonly<Record<string, unknown>>[] {
    return findImage(this.#engine.images.entries(), id).entry.config.history ?? [];
  }
}

const sameStep = (
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>> | undefined,
): boolean => ['created', 'created_by', 'comment', 'empty_layer'].every((key) => a[key] === b?.[key]);

/** What an image was made by, where a classic builder made it. */
function containerConfigOf({ container_config: made }: ImageConfig): RunConfig | undefined {
  return made === undefined ? undefined : runConfigOf(made);
}
