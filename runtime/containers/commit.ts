import { commitImage } from '../images/commit-image.ts';
import type { ImageConfigChanges, ImageReference } from '../images/image-store.ts';
import { layerOf } from './changes.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { mergeEnvironment } from './merge-config.ts';
import { publishContainer } from './publish.ts';
import type { ContainerConfig } from './record.ts';

export interface CommitOptions {
  readonly reference: ImageReference | undefined;
  readonly author: string;
  readonly comment: string;
  /** Freeze a running container while its tree is read. */
  readonly pause: boolean;
  readonly changes: ImageConfigChanges;
}

/** Afterwards there is an image of the container as it is; or nothing of one. Answers its id. POST /commit. */
export async function commitContainer(
  engine: Engine,
  container: Container,
  { reference, author, comment, pause, changes }: CommitOptions,
): Promise<string> {
  const { config, image } = container.record;
  const id = await commitImage(engine.images, {
    parent: image.id,
    changes: layerOf(engine, container, { still: pause }),
    config: changedConfig(config, changes),
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

/**
 * The container's configuration as its image's, with instructions on top: variables, labels and ports are added, all else replaced; an own
 * entrypoint drops the command.
 */
export function changedConfig(
  config: ContainerConfig,
  changes: ImageConfigChanges,
): Readonly<Record<string, unknown>> {
  const { Env = [], Labels, ExposedPorts, Volumes, ...replaced } = changes;
  const volumes = Object.fromEntries(config.Volumes.map((path) => [path, {}]));
  const ports = Object.fromEntries(config.ExposedPorts.map((port) => [port, {}]));
  return {
    User: config.User,
    Env: mergeEnvironment(config.Env, Env),
    Cmd: replaced.Entrypoint ? null : (config.Cmd ?? null),
    Entrypoint: config.Entrypoint ?? null,
    WorkingDir: config.WorkingDir,
    Labels: { ...config.Labels, ...Labels },
    StopSignal: config.StopSignal,
    ExposedPorts: { ...ports, ...ExposedPorts },
    Volumes: { ...volumes, ...Volumes },
    ...replaced,
  };
}
