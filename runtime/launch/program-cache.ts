import { encodeProgram } from './encode.ts';
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

/** Bytes of a blank: a longer value has no room. */
const blankSize = 256;
const templates = 16;

const mark = '#blank-';

/** What stands for a value that is filled in later: no path has such a long name in it. */
export const blank = (index: number): string => `${mark}${index}#`.padEnd(blankSize, '_');

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
   * @param request all that the program depends on, the blanks in their places
   * @param blanks what fills them in
   */
  prepare<Request>(
    request: Request,
    blanks: Blanks,
    compile: (request: Request) => Program,
  ): PreparedProgram | undefined {
    for (const value of blanks.values()) if (Buffer.byteLength(value) > blankSize) return undefined;
    const key = JSON.stringify(request);
    if (!this.#known.has(key)) this.#keep(key, makeTemplate(compile(request)));
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
  const image = encodeProgram(program);
  const bytes = program.areas.flatMap((area) =>
    area.bytes && Buffer.from(area.bytes).includes(mark) ? [area.bytes] : [],
  );
  const texts: { readonly offset: number; readonly text: string }[] = [];
  // A string may be the end of a longer one: those are found first.
  for (const each of bytes.toSorted((a, b) => b.length - a.length)) {
    if (each.at(-1) !== 0 || each.indexOf(0) !== each.length - 1) return undefined;
    let offset = image.indexOf(each);
    while (
      texts.some((other) => other.offset <= offset && offset < other.offset + Buffer.byteLength(other.text))
    )
      offset = image.indexOf(each, offset + 1);
    if (offset < 0) return undefined;
    texts.push({ offset, text: Buffer.from(each.subarray(0, -1)).toString() });
  }
  return { program, image, texts };
}
