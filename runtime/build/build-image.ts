import { HullError } from '../base/errors.ts';
import type { Engine } from '../containers/engine.ts';
import type { Image } from '../images/image-store.ts';
import { formatReference } from '../images/reference.ts';
import { baseImage } from './base-image.ts';
import { BuildArguments } from './build-arguments.ts';
import { type BuildRequest, checkPlatform } from './build-request.ts';
import { LayerCache } from './cache/layer-cache.ts';
import { openWorkplace } from './context/open-context.ts';
import { readDockerfile } from './context/read-dockerfile.ts';
import { expandWord } from './dockerfile/expand.ts';
import {
  type Dockerfile,
  parseDockerfile,
  parseSteps,
  type StageText,
} from './dockerfile/parse-dockerfile.ts';
import { at } from './dockerfile/problem.ts';
import { allInstructions } from './instructions/all-instructions.ts';
import type { Step } from './instructions/instruction.ts';
import { type BuildJob, shortId, stageNamed } from './job.ts';
import type { BuildOutput } from './output.ts';
import { StageBuild } from './stage-build.ts';

export interface BuildInput {
  /** The context as a tar, compressed or not. */
  readonly context: AsyncIterable<Uint8Array>;
  readonly request: BuildRequest;
  readonly output: BuildOutput;
  readonly signal: AbortSignal;
}

/**
 * Builds an image as Docker's classic builder does. Afterwards it is there under its names; or, on an error, the images of the steps so far,
 * which the next try goes on from, and nothing else. Answers its id.
 */
export async function buildImage(
  engine: Engine,
  { context, request, output, signal }: BuildInput,
): Promise<string> {
  await using workplace = await openWorkplace(engine.buildRoot, context);
  const dockerfile = parseDockerfile(await readDockerfile(workplace.context, request.dockerfile));
  const stages = stagesOf(dockerfile, request);
  const cache = await LayerCache.open(engine, request.usesCache, request.cacheFrom);
  const job: BuildJob = { engine, request, output, workplace, cache, finished: [], signal };
  for (const warning of dockerfile.warnings) output.errorText(`${warning}\n`);
  const image = await new Build(job, dockerfile, stages).run();
  if (!image) throw new HullError('No image was generated. Is your Dockerfile empty?', { kind: 'invalid' });
  output.text(`Successfully built ${shortId(image.id)}\n`);
  for (const reference of request.tags) {
    await engine.images.tag(image.id, reference);
    engine.events.publish('image', 'tag', image.id, { name: formatReference(reference) });
    output.text(`Successfully tagged ${formatReference(reference)}\n`);
  }
  return image.id;
}

/** Up to the target; the last one gets the labels that were asked for beside the Dockerfile. */
function stagesOf({ stages }: Dockerfile, { target, labels }: BuildRequest): readonly StageText[] {
  const wanted = target.toLowerCase();
  const named = stages.findIndex(({ name }) => name !== '' && name === wanted);
  const numbered = /^\d+$/.test(target) && Number(target) < stages.length ? Number(target) : -1;
  const end = target === '' ? stages.length - 1 : named >= 0 ? named : numbered;
  const last = stages[end];
  if (!last) {
    const what =
      stages.length === 0
        ? 'no FROM in the Dockerfile'
        : `failed to reach build target ${target} in Dockerfile`;
    throw new HullError(what, { kind: 'invalid' });
  }
  const more = Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => labelStep(name, value));
  return [...stages.slice(0, end), { ...last, steps: [...last.steps, ...more] }];
}

/** `--label`: as an instruction at the end, in which nothing is expanded. */
function labelStep(name: string, value: string): Step {
  const comment = `LABEL ${name}=${value}`;
  return {
    name: 'LABEL',
    source: comment,
    line: 0,
    args: [[name, value]],
    async perform(stage) {
      stage.config.Labels = { ...stage.config.Labels, [name]: value };
      await stage.commit(comment);
    },
  };
}

/** The walk through the stages, step by step. */
class Build {
  readonly #job: BuildJob;
  readonly #dockerfile: Dockerfile;
  readonly #stages: readonly StageText[];
  readonly #arguments: BuildArguments;
  readonly #total: number;
  #count = 0;

  constructor(job: BuildJob, dockerfile: Dockerfile, stages: readonly StageText[]) {
    this.#job = job;
    this.#dockerfile = dockerfile;
    this.#stages = stages;
    this.#arguments = new BuildArguments(job.request.buildArguments);
    this.#total =
      dockerfile.globalArguments.length + stages.reduce((sum, { steps }) => sum + 1 + steps.length, 0);
  }

  async run(): Promise<Image | undefined> {
    const { output, finished } = this.#job;
    for (const { source, line, args } of this.#dockerfile.globalArguments) {
      this.#announce(source);
      for (const { name, value } of args) {
        this.#arguments.defineGlobal(
          name,
          value === undefined ? undefined : at(line, () => this.#expand(value)),
        );
      }
    }
    for (const stage of this.#stages) {
      const image = await this.#build(stage);
      finished.push({ name: stage.name, image });
      if (image) output.line({ aux: { ID: image.id } });
    }
    const unused = this.#arguments.unused();
    if (unused.length > 0) {
      output.text(`[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n`);
    }
    return finished.at(-1)?.image;
  }

  async #build(text: StageText): Promise<Image | undefined> {
    const { output, signal } = this.#job;
    if (text.name !== '' && stageNamed(this.#job, text.name)) {
      throw new HullError(`duplicate name ${text.name}`, { kind: 'invalid' });
    }
    this.#announce(text.source);
    const base = await this.#base(text);
    const { escapeMark } = this.#dockerfile;
    const stage = new StageBuild(this.#job, base, this.#arguments.forStage(), escapeMark);
    await this.#trigger(stage);
    output.text(` ---> ${shortId(stage.image?.id ?? '')}\n`);
    for (const step of text.steps) {
      if (signal.aborted) throw new HullError('Build cancelled', { kind: 'unavailable' });
      this.#announce(step.source);
      await perform(stage, step);
      output.text(` ---> ${shortId(stage.image?.id ?? '')}\n`);
    }
    return stage.image;
  }

  /** Undefined for `scratch`, and for a stage of nothing. */
  async #base({ base, platform, line }: StageText): Promise<Image | undefined> {
    checkPlatform(at(line, () => this.#expand(platform)));
    const name = at(line, () => this.#expand(base));
    if (name === '') throw new HullError(`base name (${base}) should not be blank`, { kind: 'invalid' });
    const stage = stageNamed(this.#job, name);
    if (stage) return stage.image;
    return name === 'scratch' ? undefined : await baseImage(this.#job, name);
  }

  /** ONBUILD of the base. */
  async #trigger(stage: StageBuild): Promise<void> {
    const triggers = stage.config.OnBuild ?? [];
    if (triggers.length === 0) return;
    stage.config.OnBuild = null;
    stage.say(`# Executing ${triggers.length} build trigger${triggers.length > 1 ? 's' : ''}\n`);
    for (const trigger of triggers) {
      for (const step of parseSteps(trigger, allInstructions).steps) await perform(stage, step);
    }
  }

  #announce(source: string): void {
    this.#job.output.text(`Step ${++this.#count}/${this.#total} : ${source}\n`);
  }

  #expand(word: string): string {
    return expandWord(word, this.#dockerfile.escapeMark, (name) => this.#arguments.globalValue(name));
  }
}

/** What only shows when the step is made, as a variable that cannot be replaced, is told with its line too. */
async function perform(stage: StageBuild, step: Step): Promise<void> {
  try {
    await step.perform(stage);
  } catch (error) {
    at(step.line, () => {
      throw error;
    });
  }
}
