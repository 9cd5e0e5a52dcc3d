import { z } from 'zod';
import type { WindowSize } from '../launch/window-size.ts';

const cells = z.int().min(0).max(65_535);

/** `ConsoleSize` of the API: rows and columns. */
export const consoleSize = z
  .tuple([cells, cells])
  .nullish()
  .transform((value): readonly [number, number] => value ?? [0, 0]);

/** Undefined for zeros: the kernel's own. */
export function toWindowSize([height, width]: readonly [number, number]): WindowSize | undefined {
  return height > 0 || width > 0 ? { height, width } : undefined;
}
