import { layerOf } from '../containers/changes.ts';
import { commitImage } from '../images/commit-image.ts';
import type { Image } from '../images/image-store.ts';
import { resolveInTree } from '../images/tar-writing/resolve.ts';
import { withRoot } from '../storage/with-root.ts';
import { withTree } from '../storage/with-tree.ts';
import { variableOf } from './apply-changes.ts';
import type { BuildArguments } from './build-arguments.ts';
import { makeFolders } from './copy/copy-into.ts';
import { copyStep } from './copy/copy-step.ts';
import type { Escape } from './dockerfile/directives.ts';
import { expandWord, expandWords } from './dockerfile/expand.ts';
import type { Command } from './dockerfile/word-lists.ts';
import type { BuildJob } from './job.ts';
import { withComment } from './job.ts';
import { inOrder, type RunConfig, runConfigOf } from './run-config.ts';
import { type BuildStage, type CopyRequest, commandWords, shellOf } from './stage.ts';
import { inStepContainer, StepContainer } from './step-container.ts';

/** A stage of a build: its instructions change images upon images. */
export class StageBuild implements BuildStage {
  readonly config: RunConfig;
  author = '';
  hasCommand = false;
  readonly #job: BuildJob;
  readonly #arguments: BuildArguments;
  readonly #escape: Escape;
  readonly #cached: ReturnType<BuildJob['cache']['forStage']>;
  #image: Image | undefined;

  /** Upon an image, or nothing (`FROM scratch`). */
  constructor(job: BuildJob, image: Image | undefined, buildArguments: BuildArguments, escapeMark: Escape) {
    this.#job = job;
    this.#image = image;
    this.#arguments = buildArguments;
    this.#escape = escapeMark;
    this.#cached = job.cache.forStage();
    this.config = runConfigOf(image?.config.config);
    this.config.Image = image?.id ?? '';
    const env = this.config.Env ?? [];
    if (!env.some((entry) => entry.startsWith('PATH='))) this.config.Env = [...env, defaultPath];
  }

  get image(): Image | undefined {
    return this.#image;
  }

  expand(word: string): string {
    return expandWord(word, this.#escape, this.#lookup);
  }

  expandToWords(word: string): readonly string[] {
    return expandWords(word, this.#escape, this.#lookup);
  }

  expandText(text: string): string {
    return expandWord(text, this.#escape, this.#lookup, { rawQuotes: true });
  }

  say(text: string): void {
    this.#job.output.text(text);
  }

  defineArgument(name: string, value: string | undefined): void {
    this.#arguments.define(name, value);
  }

  async commit(comment: string): Promise<void> {
    const made = withComment(this.config, shellOf(this.config), '#(nop) ', comment);
    if (!(await this.#reuse(made))) await this.#take(made, undefined);
  }

  async commitFolder(folder: string, comment: string): Promise<void> {
    const made = withComment(this.config, shellOf(this.config), `#(nop) ${comment}`);
    if (await this.#reuse(made)) return;
    const path = Buffer.from(folder, 'utf8').toString('latin1');
    if (await this.#isFolder(path)) return await this.#take(made, undefined);
    await this.#takeChanged(made, (root) => makeFolders(root, path, { uid: 0, gid: 0 }));
  }

  async run(command: Command): Promise<void> {
    const { config } = this;
    const words = [...commandWords(config, command)];
    const extra = this.#arguments.environment(config.Env ?? []);
    const telling = this.#arguments.telling(extra);
    // The bar keeps arguments apart from a command that looks like them.
    const told = extra.length > 0 ? [`|${telling.length}`, ...telling, ...words] : words;
    const made = { ...config, Cmd: told, Entrypoint: null };
    if (await this.#reuse(made)) return;
    const step = await StepContainer.create(this.#job, this.#image, {
      Cmd: words,
      Entrypoint: [''],
      Env: [...(config.Env ?? []), ...extra],
    });
    await inStepContainer(this.#job, step, true, async () => {
      await step.run(words);
      await this.#take(made, step);
    });
  }

  async copy(request: CopyRequest): Promise<void> {
    await copyStep(this.#job, this.config.WorkingDir, request, async (comment, copy) => {
      const made = withComment(this.config, shellOf(this.config), `#(nop) ${comment}`);
      if (!(await this.#reuse(made))) await this.#takeChanged(made, copy);
    });
  }

  readonly #lookup = (name: string): string | undefined =>
    variableOf(this.config, name) ?? this.#arguments.value(name);

  async #reuse(made: RunConfig): Promise<boolean> {
    const found = await this.#cached(this.#image?.id, made);
    if (found === undefined) return false;
    this.say(' ---> Using cache\n');
    await this.#goOnWith(found);
    return true;
  }

  async #takeChanged(made: RunConfig, change: (root: string) => Promise<void>): Promise<void> {
    const step = await StepContainer.create(this.#job, this.#image, { Cmd: made.Cmd, Entrypoint: [''] });
    await inStepContainer(this.#job, step, false, async () => {
      await withRoot(this.#job.engine.driver, step.id, change);
      await this.#take(made, step);
    });
  }

  /** The new image: with the container's changes, or with new words alone. */
  async #take(made: RunConfig, step: StepContainer | undefined): Promise<void> {
    const { engine, signal } = this.#job;
    signal.throwIfAborted();
    const id = await commitImage(engine.images, {
      parent: this.#image?.id,
      changes: step && layerOf(engine, step.container, { still: false }),
      config: { ...inOrder(this.config) },
      container: step?.id ?? '',
      containerConfig: inOrder(made),
      createdBy: (made.Cmd ?? []).join(' '),
      author: this.author,
      comment: '',
      reference: undefined,
    });
    await this.#goOnWith(id);
  }

  async #goOnWith(id: string): Promise<void> {
    this.#image = await this.#job.engine.images.get(id);
    this.config.Image = id;
  }

  async #isFolder(path: string): Promise<boolean> {
    const top = this.#image?.topLayer;
    if (top === undefined) return path === '';
    return await withTree(this.#job.engine.driver, top, async (root) => {
      using file = resolveInTree(root, path, true);
      return file?.stat.isDirectory() === true;
    });
  }
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
