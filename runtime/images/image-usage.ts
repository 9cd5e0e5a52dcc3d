import type { Image } from './image-store.ts';

export interface ImageUsage {
  /** Content bytes of all layers, each counted once. */
  readonly total: number;
  /** By image id: bytes of its layers that other images have as well. */
  readonly shared: ReadonlyMap<string, number>;
}

export function usageOf(images: readonly Image[]): ImageUsage {
  const users = new Map<string, number>();
  const sizes = new Map<string, number>();
  for (const { chainId, size } of images.flatMap(({ layers }) => layers)) {
    users.set(chainId, (users.get(chainId) ?? 0) + 1);
    sizes.set(chainId, size);
  }
  const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
  const shared = images.map(({ id, layers }): [string, number] => [
    id,
    sum(layers.filter(({ chainId }) => (users.get(chainId) ?? 0) > 1).map(({ size }) => size)),
  ]);
  return { total: sum(sizes.values()), shared: new Map(shared) };
}
