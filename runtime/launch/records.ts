/** The descriptor of the record pipe in every launch program; everything above is closed first. */
export const recordDescriptor = 3;
export const recordSize = 16;

/** First word of a record that is not an error; an error has the index of its step there. */
export const recordTag = { pid: -1, ready: -2, alive: -3, sync: -4, listener: -5 } as const;

/** Length of the text that follows a record with the tag `alive`, padded with zeros. */
export const statSize = 512;

/** Two 64-bit words: tag or step, and value. Written in one piece, so never torn. */
export type StartRecord =
  | { readonly kind: 'error'; readonly step: number; readonly errno: number }
  /** The container's first process, numbered in the writer's pid namespace. */
  | { readonly kind: 'pid'; readonly pid: number }
  | { readonly kind: 'ready' }
  /** It goes on when it is told to. */
  | { readonly kind: 'sync' }
  /** The number that the descriptor of its seccomp listener is about to have; it goes on when it is told to. */
  | { readonly kind: 'listener'; readonly descriptor: number }
  /** Written right before execve, to see whether the daemon is still there. */
  | { readonly kind: 'alive'; readonly pid: number; readonly startTicks: string };

export function parseRecords(bytes: Buffer): readonly StartRecord[] {
  const records: StartRecord[] = [];
  for (let offset = 0; offset + recordSize <= bytes.length; offset += recordSize) {
    const tag = Number(bytes.readBigInt64LE(offset));
    const value = Number(bytes.readBigInt64LE(offset + 8));
    if (tag > 0) records.push({ kind: 'error', step: tag, errno: -value });
    else if (tag === recordTag.pid) records.push({ kind: 'pid', pid: value });
    else if (tag === recordTag.ready) records.push({ kind: 'ready' });
    else if (tag === recordTag.sync) records.push({ kind: 'sync' });
    else if (tag === recordTag.listener) records.push({ kind: 'listener', descriptor: value });
    else if (tag === recordTag.alive) {
      const text = bytes.toString('latin1', offset + recordSize, offset + recordSize + value);
      records.push({ kind: 'alive', pid: Number.parseInt(text, 10), startTicks: parseStartTicks(text) });
      offset += statSize;
    }
  }
  return records;
}

/** Field 22 of /proc/<pid>/stat (proc_pid_stat(5)); the name in field 2 may hold blanks and parentheses. */
export function parseStartTicks(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
