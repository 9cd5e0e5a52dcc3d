/**
 * # Client and resident
 *
 * The client connects, sends a greeting with a descriptor of its folder in /proc, and then does what it is told, a command at a
 * time, until one ends it. So it is the parent of what is started, with its own streams, limits, session and cgroups; the resident only thinks.
 *
 * A command is four 64-bit words: its number and three arguments. The client answers `spawn` and `wait` with two words: the
 * command's number and a value. Until `accepted` nothing was made, and a client that loses the resident makes the call by itself.
 */
export const command = {
  accepted: 1,
  /** Execute the stand-alone form. */
  alone: 2,
  /** descriptor, length: that many bytes follow. */
  write: 3,
  /**
   * Number of the record pipe, of the other descriptor; program, both, and the pipe's end for reading come along. Answer: the pid, or a
   * negative errno, when all records are in the pipe, nobody can write another, and the program has ended.
   */
  spawn: 4,
  /** pid. Meanwhile signals are handed on. Answer: the status of wait4(2), or a negative errno. */
  wait: 5,
  /** Exit status. */
  exit: 6,
} as const;

export const commandSize = 32;
export const answerSize = 16;

/** Bytes of one `write`: what a pipe takes in one piece (PIPE_BUF). */
export const longestWrite = 4096;

const magic = 'hulloci1';
export const keyLength = 16;
export const greetingSize = magic.length + keyLength;

/** `key` names the program that both are of: an older client asks a newer resident in vain, and the other way round. */
export function greeting(key: string): Buffer {
  const bytes = Buffer.alloc(greetingSize);
  bytes.write(magic + key.slice(0, keyLength), 'latin1');
  return bytes;
}

export function commandBytes(number: number, ...args: readonly number[]): Buffer {
  const bytes = Buffer.alloc(commandSize);
  for (const [index, word] of [number, ...args].entries()) bytes.writeBigInt64LE(BigInt(word), index * 8);
  return bytes;
}
