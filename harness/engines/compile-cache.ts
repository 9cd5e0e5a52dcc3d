import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ssh } from '../ssh/ssh.ts';

/** Where a host's Node keeps what V8 compiled (NODE_COMPILE_CACHE). */
export const compileCacheFolder = '/opt/seatrial/compile-cache';

/**
 * What V8 compiled for a program on hosts, kept on this machine between runs: it halves the start of a daemon in an emulated
 * guest. V8 ties it to its version and the CPU's features and ignores what does not fit, so it must come from a host
 * itself, and a wrong one does no harm.
 */
export class CompileCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Afterwards the host has the cache of this program, if one is known. */
  async give(ssh: Ssh, program: string): Promise<void> {
    const tar = await readFile(this.#file(program)).catch(() => undefined);
    if (tar === undefined) return;
    await ssh.ok(['sh', '-c', 'mkdir -p "$1" && tar -x -C "$1"', 'unpack', compileCacheFolder], {
      input: tar,
    });
  }

  /** Takes the host's cache, unless one is known; those of other programs are dropped. */
  async take(ssh: Ssh, program: string): Promise<void> {
    const known: readonly string[] = await readdir(this.#folder).catch(() => []);
    if (known.includes(`${program}.tar`)) return;
    const packed = await ssh.ok([
      'sh',
      '-c',
      'cd "$1" && tar -c . | base64 -w 0',
      'pack',
      compileCacheFolder,
    ]);
    await mkdir(this.#folder, { recursive: true });
    const temporary = `${this.#file(program)}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    await writeFile(temporary, Buffer.from(packed, 'base64'));
    await rename(temporary, this.#file(program));
    await Promise.all(known.map((name) => rm(join(this.#folder, name), { force: true })));
  }

  #file(program: string): string {
    return join(this.#folder, `${program}.tar`);
  }
}
