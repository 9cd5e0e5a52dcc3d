import type { Image } from './image-store.ts';

/** One step of an image's making. */
export interface HistoryStep {
  /** Of the image as it was after the step, where that one is here. */
  readonly id: string | undefined;
  readonly tags: readonly string[];
  readonly created: string | undefined;
  readonly createdBy: string;
  readonly comment: string;
  /** Content bytes of the layer it added; 0 where it added none. */
  readonly size: number;
}

/** The newest step first. A step's image is known as far as the image's parents are here. */
export function historyOf(image: Image, images: readonly Image[]): readonly HistoryStep[] {
  const byId = new Map(images.map((each) => [each.id, each]));
  const sizes = image.layers.map(({ size }) => size);
  // Layers that no line tells of, as in images that tools without a history made.
  const lines: readonly Readonly<Record<string, unknown>>[] =
    image.config.history ?? image.layers.map(() => ({}));
  let layer = 0;
  const steps = lines.map((line) => ({
    created: textOf(line['created']),
    createdBy: textOf(line['created_by']) ?? '',
    comment: textOf(line['comment']) ?? '',
    size: line['empty_layer'] === true ? 0 : (sizes[layer++] ?? 0),
  }));
  let at: Image | undefined = image;
  return steps.toReversed().map((step) => {
    const known = at;
    at = known?.parent === undefined ? undefined : byId.get(known.parent);
    return { id: known?.id, tags: known?.tags ?? [], ...step };
  });
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
