import type { Heredoc } from './dockerfile/heredocs.ts';
import type { Command } from './dockerfile/word-lists.ts';
import type { RunConfig } from './run-config.ts';

/**
 * # What instructions work on
 *
 * A stage begins as an image (FROM). Each instruction changes its `config`, or its files, and is taken down as a new image upon the one
 * before it, with a line of history. An instruction that was once made upon the same image with the same words, and the same
 * files copied, is not made again: the stage goes on as the image of then (the layer cache).
 *
 * `docker commit --change` and `docker import --change` use the instructions that only touch the config: for those nothing is taken down.
 */
export interface ConfigStage {
  readonly config: RunConfig;
  /** MAINTAINER's. */
  author: string;
  /** A CMD was given in this stage: an ENTRYPOINT behind it leaves it alone. */
  hasCommand: boolean;
  /** Variables are those of the config, then build arguments. DockerfileProblem. */
  expand(word: string): string;
  expandToWords(word: string): readonly string[];
  /** Takes the instruction down, with these words in its history. */
  commit(comment: string): Promise<void>;
  /** The same, with the folder there (WORKDIR). */
  commitFolder(folder: string, comment: string): Promise<void>;
  say(text: string): void;
}

export interface BuildStage extends ConfigStage {
  /** A heredoc's lines: variables replaced, quotes left. */
  expandText(text: string): string;
  defineArgument(name: string, value: string | undefined): void;
  run(command: Command): Promise<void>;
  copy(request: CopyRequest): Promise<void>;
}

/** COPY and ADD, their words expanded. */
export interface CopyRequest {
  readonly instruction: 'COPY' | 'ADD';
  readonly sources: readonly string[];
  readonly destination: string;
  /** Heredocs among the sources: files that the Dockerfile itself holds. */
  readonly contents: readonly Heredoc[];
  /** A stage's name or number, or an image; undefined for the context. */
  readonly from: string | undefined;
  /** '' where none is asked for. */
  readonly chown: string;
  readonly chmod: string;
}

/** `/bin/sh -c`, or what SHELL says. */
export const shellOf = (config: RunConfig): readonly string[] =>
  config.Shell && config.Shell.length > 0 ? config.Shell : ['/bin/sh', '-c'];

/** The words that are executed: the shell's before those of the shell form. */
export const commandWords = (config: RunConfig, { words, isShell }: Command): readonly string[] =>
  isShell ? [...shellOf(config), ...words] : words;
