import type { Cell } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';

/** Of a struct pollfd, read as one word: revents. */
export const readyMask = 0x7fff000000000000n;

const events = { in: 1n << 32n, out: 4n << 32n } as const;

/** A row of struct pollfd, each in a cell: descriptor, events, revents. poll(2) */
export class PollSet {
  readonly #p: ProgramBuilder;
  readonly #slots: readonly Cell[];
  #used = 0;

  constructor(p: ProgramBuilder, size: number) {
    this.#p = p;
    const area = p.buffer('pollfds', size * 8);
    this.#slots = Array.from({ length: size }, (_, index) => at(area, index * 8));
    for (const slot of this.#slots) this.ignore(slot);
  }

  /** A slot that waits for nothing yet. */
  slot(): Cell {
    const slot = this.#slots[this.#used++];
    if (!slot) throw new Error(`Cannot poll ${this.#used} descriptors: the set has ${this.#slots.length}`);
    return slot;
  }

  waitFor(event: keyof typeof events, descriptor: Cell, slot = this.slot()): Cell {
    this.#p.local(descriptor, { mask: 0xffffffffn, minus: -events[event], result: slot });
    return slot;
  }

  ignore(slot: Cell): void {
    this.#p.set(slot, 0xffffffffn);
  }

  get arguments() {
    const [first] = this.#slots;
    if (!first) throw new Error('Cannot poll nothing');
    return [address(first.area), this.#slots.length] as const;
  }
}
