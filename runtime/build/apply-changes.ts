import type { ImageConfigChanges } from '../images/image-store.ts';
import type { Escape } from './dockerfile/directives.ts';
import { expandWord, expandWords } from './dockerfile/expand.ts';
import { parseSteps } from './dockerfile/parse-dockerfile.ts';
import { at } from './dockerfile/problem.ts';
import { configInstructions } from './instructions/all-instructions.ts';
import { type RunConfig, runConfigOf } from './run-config.ts';
import type { ConfigStage } from './stage.ts';

/**
 * `--change` of commit and import: a config with Dockerfile instructions on top that only touch it. Kind `invalid` names the line of
 * the instruction, counted over all of them.
 */
export async function applyChanges(
  config: ImageConfigChanges,
  instructions: readonly string[],
): Promise<ImageConfigChanges> {
  const lines = instructions.filter((line) => line.trim() !== '');
  if (lines.length === 0) return config;
  const { steps, escapeMark } = parseSteps(lines.join('\n'), configInstructions);
  const before = runConfigOf(config);
  const stage = new ChangedConfig({ ...before }, escapeMark);
  for (const step of steps) {
    try {
      await step.perform(stage);
    } catch (error) {
      at(step.line, () => {
        throw error;
      });
    }
  }
  const changed = Object.entries(stage.config).filter(
    ([key, value]) => value !== before[key as keyof RunConfig],
  );
  return { ...config, ...Object.fromEntries(changed) };
}

/** Nothing is taken down, and no folder made. */
class ChangedConfig implements ConfigStage {
  readonly config: RunConfig;
  author = '';
  hasCommand = false;
  readonly #escape: Escape;

  constructor(config: RunConfig, escapeMark: Escape) {
    this.config = config;
    this.#escape = escapeMark;
  }

  expand(word: string): string {
    return expandWord(word, this.#escape, this.#lookup);
  }

  expandToWords(word: string): readonly string[] {
    return expandWords(word, this.#escape, this.#lookup);
  }

  async commit(): Promise<void> {}

  async commitFolder(): Promise<void> {}

  say(): void {}

  readonly #lookup = (name: string): string | undefined => variableOf(this.config, name);
}

/** The value of one of the config's own variables. */
export function variableOf({ Env }: RunConfig, name: string): string | undefined {
  return (Env ?? []).find((entry) => entry.split('=', 1)[0] === name)?.slice(name.length + 1);
}
