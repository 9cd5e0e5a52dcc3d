import type { Engine } from '../containers/engine.ts';
import type { Image } from '../images/image-store.ts';
import type { BuildRequest } from './build-request.ts';
import type { LayerCache } from './cache/layer-cache.ts';
import type { Workplace } from './context/open-context.ts';
import type { BuildOutput } from './output.ts';
import type { RunConfig } from './run-config.ts';

/** One build on its way: what all of its stages share. */
export interface BuildJob {
  readonly engine: Engine;
  readonly request: BuildRequest;
  readonly output: BuildOutput;
  readonly workplace: Workplace;
  readonly cache: LayerCache;
  /** The stages that are done, in order. */
  readonly finished: FinishedStage[];
  /** Aborted when the client has left, or the daemon ends. */
  readonly signal: AbortSignal;
}

export interface FinishedStage {
  /** '' where it has none. */
  readonly name: string;
  /** Undefined for a stage that is still of nothing (`FROM scratch` alone). */
  readonly image: Image | undefined;
}

/** The stage that a FROM or --from names, by its name or, for --from, its number; undefined for none. */
export function stageNamed(job: BuildJob, name: string): FinishedStage | undefined {
  return job.finished.find((stage) => stage.name !== '' && stage.name === name.toLowerCase());
}

/** As Docker writes ids for people. */
export const shortId = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12);

/** A config by which the cache and the history know an instruction that runs nothing. */
export const withComment = (config: RunConfig, shell: readonly string[], ...words: string[]): RunConfig => ({
  ...config,
  Cmd: [...shell, ...words],
});
