import { commitImage } from '../images/commit-image.ts';
import type { ImageConfigChanges, ImageReference } from '../images/image-store.ts';
import { layerOf } from './changes.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { publishContainer } from './publish.ts';
import type { ContainerConfig } from './record.ts';

export interface CommitOptions {
  readonly reference: ImageReference | undefined;
  readonly author: string;
  readonly comment: string;
  /** Freeze a running container while its tree is read. */
  readonly pause: boolean;
  /** What else is to be said of it: instructions on top of the container's configuration. */
  readonly change: (config: ImageConfigChanges) => Promise<ImageConfigChanges>;
}

/** Afterwards there is an image of the container as it is; or nothing of one. Answers its id. POST /commit. */
export async function commitContainer(
  engine: Engine,
  container: Container,
  { reference, author, comment, pause, change }: CommitOptions,
): Promise<string> {
  const { config, image } = container.record;
  const id = await commitImage(engine.images, {
    parent: image.id,
    changes: layerOf(engine, container, { still: pause }),
    // What the container does without is not its image's either.
    config: { Cmd: null, Entrypoint: null, ...(await change(imageConfigOf(config))) },
    container: container.id,
    createdBy: [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])].join(' '),
    author,
    comment,
    reference,
  });
  publishContainer(engine, container, 'commit', {
    imageID: id,
    ...(reference && { imageRef: `${reference.repository}:${reference.tag}` }),
  });
  return id;
}

/** The container's configuration as its image's. */
export function imageConfigOf(config: ContainerConfig): ImageConfigChanges {
  const { User, Env, Cmd, Entrypoint, WorkingDir, Labels, StopSignal } = config;
  return {
    User,
    Env,
    WorkingDir,
    Labels,
    StopSignal,
    ...(Cmd && { Cmd }),
    ...(Entrypoint && { Entrypoint }),
    ExposedPorts: Object.fromEntries(config.ExposedPorts.map((port) => [port, {}])),
    Volumes: Object.fromEntries(config.Volumes.map((path) => [path, {}])),
  };
}
