import { inOrder, runConfigOf } from '../build/run-config.ts';
import type { Image } from '../images/image-store.ts';

/** One entry of GET /images/json. */
export function imageView(image: Image, containers: number): Readonly<Record<string, unknown>> {
  return {
    Id: image.id,
    ParentId: image.parent ?? '',
    RepoTags: image.tags,
    RepoDigests: image.repoDigests,
    Created: Math.floor(Date.parse(image.createdAt) / 1000) || 0,
    Size: image.size,
    VirtualSize: image.size,
    SharedSize: -1,
    Labels: image.config.config?.Labels ?? {},
    Containers: containers,
  };
}

/** GET /images/{name}/json. */
export function inspectImage(
  { id, tags, repoDigests, config, size, createdAt, parent }: Image,
  driver: string,
): unknown {
  return {
    Id: id,
    RepoTags: tags,
    RepoDigests: repoDigests,
    Parent: parent ?? '',
    Comment: config.comment ?? '',
    Created: createdAt,
    DockerVersion: '',
    Author: config.author ?? '',
    Config: inOrder(runConfigOf(config.config)),
    Architecture: config.architecture,
    ...(config.variant ? { Variant: config.variant } : {}),
    Os: config.os,
    Size: size,
    VirtualSize: size,
    GraphDriver: { Name: driver, Data: {} },
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
  };
}
