import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { codeOf, HullError } from '../base/errors.ts';

/** Read by the system's own programs, as Docker has it for xz: Node knows neither, and archives of either are rare. */
export type ProgramCompression = 'bzip2' | 'xz';

interface Decompressor {
  readonly args: readonly string[];
  /** Debian's. */
  readonly package: string;
}

const decompressors: Readonly<Record<ProgramCompression, Decompressor>> = {
  bzip2: { args: ['-dc'], package: 'bzip2' },
  // An archive chooses how much memory reading it takes, up to 4 GiB; `xz -9` wants 65 MiB.
  xz: { args: ['-dc', '-q', '--memlimit-decompress=256MiB'], package: 'xz-utils' },
};

/**
 * The plain bytes of a stream. The program is gone when this ends, however it does.
 * @throws HullError `unsupported` where the program is not installed; `invalid` for damaged data, with the program's words.
 */
export async function* decompressWithProgram(
  name: ProgramCompression,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const { args } = decompressors[name];
  // Nothing of the daemon's environment: XZ_OPT and BZIP2 would be read as options.
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' };
  const child = spawn(name, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
  const closed = once(child, 'close');
  // Told below, where it is waited for.
  closed.catch(() => undefined);
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (words.length < 1000) words += text;
  });
  let broken: unknown;
  const fed = pipeline(Readable.from(source, { objectMode: false }), child.stdin).catch((error: unknown) => {
    // A program that has given up reads no further: its own words say why.
    if (codeOf(error) === 'EPIPE' || codeOf(error) === 'ERR_STREAM_PREMATURE_CLOSE') return;
    broken = error;
    child.kill('SIGKILL');
  });
  try {
    yield* child.stdout;
    const [status] = await closed;
    await fed;
    if (broken) throw broken;
    if (status !== 0) throw damaged(name, words.trim().split('\n', 1)[0] || `exit status ${status}`);
  } catch (error) {
    throw codeOf(error) === 'ENOENT' && child.pid === undefined ? missing(name) : error;
  } finally {
    child.kill('SIGKILL');
    await closed.catch(() => undefined);
    await fed;
  }
}

function damaged(name: ProgramCompression, why: string): HullError {
  return new HullError(
    `Cannot decompress the archive: found damaged ${name} data (${why}), wanted it whole`,
    { kind: 'invalid' },
  );
}

function missing(name: ProgramCompression): HullError {
  return new HullError(
    `Cannot decompress the archive: found ${name} data and no program ${name} on PATH, wanted it or gzip, zstd or no compression`,
    { kind: 'unsupported', hint: `Install the package ${decompressors[name].package}.` },
  );
}
