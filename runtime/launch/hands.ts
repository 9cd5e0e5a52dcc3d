import { waitForEnd } from '../sys/process.ts';
import { inheritedDescriptors, standardStreams } from './inherited-descriptors.ts';
import type { ProgramCache } from './program-cache.ts';
import { spawnProgram } from './spawn.ts';

/**
 * Who starts the launch programs of the OCI command line and is their parent: this process, or in its place the client of a
 * resident one. The children have the parent's streams and, between these and the record pipe, its descriptors.
 */
export interface Hands {
  /**
   * `extra` becomes the descriptor after the record pipe's. The end of the record pipe that is read is the caller's to close. It may be answered
   * only when the program has ended, where that does not stop for a word in between.
   */
  spawn(image: Buffer, how: SpawnHow): SpawnedProgram | Promise<SpawnedProgram>;
  /** Waits for a child that is about to end. */
  reap(pid: number): void;
  /** Of a process that lives on. */
  readonly programs?: ProgramCache;
}

export interface SpawnHow {
  readonly name: string;
  readonly record: number;
  readonly extra: number;
  /** Become those after it. Only hands of one's own have them. */
  readonly more?: readonly number[];
}

export interface SpawnedProgram {
  readonly pid: number;
  readonly recordPipe: number;
}

/** Blocks Node: the command line has nothing else to do, and a thread costs more than the wait. */
export const ownHands: Hands = {
  spawn(image, { name, record, extra, more = [] }) {
    const inherited = record === 3 ? standardStreams : inheritedDescriptors(record);
    const added = [extra, ...more].map((fd, index) => [record + 1 + index, fd] as const);
    return spawnProgram(image, { name, record, descriptors: new Map([...inherited, ...added]) });
  },
  reap: waitForEnd,
};
