import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { codeOf, HullError } from '../../base/errors.ts';
import type { ByteRange } from './same-inodes.ts';

/** What thin_delta(8) is asked. */
export interface DeltaQuestion {
  /** The device or file with the pool's metadata. */
  readonly metadata: string;
  /** Of an active pool its metadata snapshot must be read, for the rest changes meanwhile. */
  readonly snapshot: boolean;
  /** Numbers of thin devices. */
  readonly left: number;
  readonly right: number;
  /** Bytes of the pool's blocks. */
  readonly blockSize: number;
}

/**
 * The ranges that two thin devices share, ascending: there they have the very same blocks. Nothing else that thin_delta says counts, for
 * 0.9 leaves out what is behind the end of the device with fewer mappings.
 */
export async function readSameBlocks(question: DeltaQuestion): Promise<readonly ByteRange[]> {
  const { metadata, snapshot, left, right } = question;
  const args = [
    ...(snapshot ? ['--metadata-snap'] : []),
    '--thin1',
    String(left),
    '--thin2',
    String(right),
    metadata,
  ];
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: longestMs,
    killSignal: 'SIGKILL',
  });
  const ended = once(child, 'close') as Promise<[status: number | null, signal: string | null]>;
  // Looked at below, when its output is read.
  ended.catch(() => undefined);
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (words.length < 1000) words += text;
  });
  const parser = new DeltaParser(question);
  try {
    for await (const line of createInterface({ input: child.stdout })) parser.take(line);
  } finally {
    child.stdout.destroy();
    child.kill('SIGKILL');
  }
  const [status, signal] = await ended;
  if (status !== 0) {
    const reason = words.split('\n', 1)[0] || `it ended with ${status ?? signal}`;
    throw new HullError(`Cannot run ${program} ${args.join(' ')}: ${reason}`, { kind: 'internal' });
  }
  return parser.end();
}

/** Reads its XML, a line an element, and refuses what it does not know. */
export class DeltaParser {
  readonly #question: DeltaQuestion;
  readonly #same: { begin: number; end: number }[] = [];
  #inside: 'nothing' | 'superblock' | 'diff' | 'all' = 'nothing';
  #lines = 0;

  constructor(question: DeltaQuestion) {
    this.#question = question;
  }

  take(line: string): void {
    if (++this.#lines > mostLines) throw wrong(`more than ${mostLines} lines`);
    const [, tag = '', words = ''] = /^\s*<(\/?\w+)((?: \w+="[^"]*")*) *\/?>\s*$/.exec(line) ?? [];
    const value = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(words)?.[1]);
    const { left, right, blockSize } = this.#question;
    switch (`${this.#inside} ${tag}`) {
      case 'nothing superblock':
        if (value('data_block_size') * 512 !== blockSize) throw wrong(line);
        this.#inside = 'superblock';
        return;
      case 'superblock diff':
        if (value('left') !== left || value('right') !== right) throw wrong(line);
        this.#inside = 'diff';
        return;
      case 'diff same':
        this.#add(value('begin') * blockSize, value('length') * blockSize, line);
        return;
      case 'diff different':
      case 'diff left_only':
      case 'diff right_only':
        return;
      case 'diff /diff':
        this.#inside = 'superblock';
        return;
      case 'superblock /superblock':
        this.#inside = 'all';
        return;
      default:
        if (line.trim() !== '') throw wrong(line);
    }
  }

  end(): readonly ByteRange[] {
    if (this.#inside !== 'all') throw wrong('an end in the middle');
    return this.#same;
  }

  #add(begin: number, length: number, line: string): void {
    const last = this.#same.at(-1);
    if (!(length > 0) || !(begin >= (last?.end ?? 0))) throw wrong(line);
    if (last?.end === begin) last.end += length;
    else this.#same.push({ begin, end: begin + length });
  }
}

/** Why the program cannot be used, as the end of a sentence, or its version. */
export async function probeThinDelta(): Promise<{ readonly version: string } | { readonly why: string }> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: longestMs });
    const version = /\d+\.\d+\.\d+/.exec(stdout)?.[0];
    if (version === undefined) return { why: `${program} does not tell its version` };
    return tellsTruth(version)
      ? { version }
      : { why: `${program} ${version} takes changed blocks for the same` };
  } catch (error) {
    return { why: codeOf(error) === 'ENOENT' ? `${program} is not installed` : String(error) };
  }
}

/** From 1.0.0 to 1.0.5 it joined neighbouring blocks without a look at what they are mapped to (its CHANGES, v1.0.6); before 0.7 it had other faults. */
export function tellsTruth(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  if (major === 0) return minor >= 7;
  return major > 1 || minor > 0 || patch >= 6;
}

const program = 'thin_delta';
/** It reads the mappings of both devices, some hundred thousand a second. */
const longestMs = 60_000;
const mostLines = 2 ** 21;

function wrong(found: string): HullError {
  return new HullError(`Cannot read what ${program} says: found ${JSON.stringify(found.slice(0, 200))}`, {
    kind: 'internal',
  });
}
