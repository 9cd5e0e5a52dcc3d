import { encodeProgram, encodeWithOffsets } from './encode.ts';
import { stepOf } from './explain.ts';
import type { Program } from './program.ts';
import type { LaunchStep } from './types.ts';

/** A program, ready to be executed. */
export interface PreparedProgram {
  readonly program: Program;
  readonly image: Buffer;
  /** As `stepOf`, for an error. */
  step(index: number): LaunchStep;
}

/** A word of a request that has another value in the next one, and the word that stands for it meanwhile. */
export type Blanks = ReadonlyMap<string, string>;

interface Template {
  readonly program: Program;
  readonly image: Buffer;
  /** C strings of the image that have blanks in them. */
  readonly texts: readonly { readonly offset: number; readonly text: string }[];
}

/** Bytes of a blank where values differ in length: a longer value has no room. */
const blankSize = 256;
const templates = 16;

const mark = '#blank-';

/** What stands for a value that is filled in later: no path has such a long name in it, and no request such a word (`hasBlanks`). */
export const blank = (index: number, size = blankSize): string => `${mark}${index}#`.padEnd(size, '_');

/** Whether a blank can be as long as the value: the length is in the program too, where a call has it as an argument. */
export const fitsBlank = (value: string): boolean => Buffer.byteLength(value) >= blank(0, 0).length;

/** Whether somebody's own words would be taken for blanks. */
export const hasBlanks = (text: string): boolean => text.includes(mark);

export function prepareProgram(program: Program): PreparedProgram {
  return { program, image: encodeProgram(program), step: (index) => stepOf(program, index) };
}

/**
 * Programs of earlier calls, for a process that lives on: to compile and to encode one takes most of a millisecond. What differs
 * in each call (the paths of its state) is left blank in what is kept, and filled in. The oldest makes room.
 */
export class ProgramCache {
  readonly #known = new Map<string, Template | undefined>();

  /**
   * @param key all that the program depends on, the blanks in their places
   * @param blanks what fills them in
   * @param compile makes it with the blanks
   */
  prepare(key: string, blanks: Blanks, compile: () => Program): PreparedProgram | undefined {
    for (const [word, value] of blanks) if (Buffer.byteLength(value) > word.length) return undefined;
    if (!this.#known.has(key)) this.#keep(key, makeTemplate(compile()));
    const template = this.#known.get(key);
    if (!template) return undefined;
    const { program } = template;
    const fill = (text: string) => {
      let filled = text;
      for (const [word, value] of blanks) filled = filled.replaceAll(word, () => value);
      return filled;
    };
    const image = Buffer.from(template.image);
    for (const { offset, text } of template.texts) image.write(`${fill(text)}\0`, offset);
    return {
      program,
      image,
      step(index) {
        const step = stepOf(program, index);
        return { ...step, what: fill(step.what), args: step.args.map(fill) };
      },
    };
  }

  #keep(key: string, template: Template | undefined): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= templates && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, template);
  }
}

/** Undefined where a blank is in anything but a string. */
function makeTemplate(program: Program): Template | undefined {
  const { image, offsetOf } = encodeWithOffsets(program);
  const texts: { readonly offset: number; readonly text: string }[] = [];
  for (const area of program.areas) {
    if (area.string?.includes(mark)) texts.push({ offset: offsetOf(area), text: area.string });
    else if (area.bytes && Buffer.from(area.bytes).includes(mark)) return undefined;
  }
  return { program, image, texts };
}
