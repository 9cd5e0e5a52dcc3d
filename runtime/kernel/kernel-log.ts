import { constants, openSync, readSync } from 'node:fs';
import { codeOf } from '../base/errors.ts';

export interface KernelRecord {
  /** Counts all records since the boot. */
  readonly sequence: number;
  readonly text: string;
}

/** Reads /dev/kmsg (Documentation/ABI/testing/dev-kmsg): the kernel's log, record by record. For as long as the program lives. */
export class KernelLog {
  readonly #file: number;

  private constructor(file: number) {
    this.#file = file;
  }

  /** Undefined where there is none for this process: no device, or not the right to read it (kernel.dmesg_restrict). */
  static open(): KernelLog | undefined {
    try {
      return new KernelLog(openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK));
    } catch (error) {
      if (['ENOENT', 'EACCES', 'EPERM', 'ENXIO', 'ENODEV'].includes(codeOf(error) ?? '')) return undefined;
      throw error;
    }
  }

  /** What has been said since the last call; at the first, all that the kernel still has. What it wrote over meanwhile is left out. */
  *read(): Generator<KernelRecord> {
    // One read(2) answers one record, and never a part of it.
    const bytes = Buffer.allocUnsafe(8192);
    for (;;) {
      let length: number;
      try {
        length = readSync(this.#file, bytes, 0, bytes.length, null);
      } catch (error) {
        if (codeOf(error) === 'EPIPE') continue;
        if (codeOf(error) === 'EAGAIN') return;
        throw error;
      }
      if (length === 0) return;
      const record = parseKernelRecord(bytes.toString('utf8', 0, length));
      if (record) yield record;
    }
  }
}

/** `priority,sequence,microseconds,flags;text`, and further lines with a dictionary. Pure. */
export function parseKernelRecord(record: string): KernelRecord | undefined {
  const [, sequence, text] = /^\d+,(\d+),[^;]*;(.*)/.exec(record) ?? [];
  return sequence === undefined || text === undefined ? undefined : { sequence: Number(sequence), text };
}
