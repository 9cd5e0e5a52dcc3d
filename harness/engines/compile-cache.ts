import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
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
  readonly #onHost: string;

  /** @param folder on this machine @param onHost where a host's Node looks for it */
  constructor(folder: string, onHost = compileCacheFolder) {
    this.#folder = folder;
    this.#onHost = onHost;
  }

  /** Afterwards the host has the cache of this program, if one is known. */
  async give(ssh: Ssh, program: string): Promise<void> {
    const tar = await readFile(this.#file(program)).catch(() => undefined);
    if (tar === undefined) return;
    await ssh.ok(['sh', '-c', giveScript, 'give', this.#onHost], { input: tar });
  }

  /**
   * Takes the cache that the host's Node has added to since it was given one: nothing where that was whole, all where it did
   * not fit (a processor of other features, another Node). Caches of other programs are dropped.
   */
  async take(ssh: Ssh, program: string): Promise<void> {
    const packed = await ssh.ok(['sh', '-c', takeScript, 'take', this.#onHost]);
    if (packed === '') return;
    const known: readonly string[] = await readdir(this.#folder).catch(() => []);
    await mkdir(this.#folder, { recursive: true });
    const temporary = `${this.#file(program)}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    await writeFile(temporary, Buffer.from(packed, 'base64'));
    await rename(temporary, this.#file(program));
    const others = known.filter((name) => name !== basename(this.#file(program)));
    await Promise.all(others.map((name) => rm(join(this.#folder, name), { force: true })));
  }

  #file(program: string): string {
    return join(this.#folder, `${program}.tar`);
  }
}

// The stamp is younger than everything that was given, whose times are those of the host it came from.
const giveScript = 'mkdir -p "$1" && tar -x -m -C "$1" && : > "$1/.given"';

// Node keeps a folder for each kind of Node and processor: those that it wrote into go, whole.
const takeScript = `cd "$1" 2>/dev/null || exit 0
if [ -e .given ]; then newer='-newer .given'; fi
folders=$(find . -type f ! -name .given $newer | cut -d / -f 2 | sort -u)
[ -z "$folders" ] || tar -c $folders | base64 -w 0`;
