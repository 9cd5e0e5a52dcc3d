import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Ssh } from '../ssh/ssh.ts';

/** A program on a host, as its bundle's tree below `folder`. */
export interface SnapshotProgram {
  /** Of the program. */
  readonly hash: string;
  /** What a snapshot of this host's Node is good for (`HostFacts.v8`). */
  readonly v8: string;
  /** Its path is part of the snapshot. */
  readonly folder: string;
  /** The CommonJS file of ASCII, below `folder`, that sets the function a snapshot begins with. */
  readonly file: string;
  /** Node and its options, as the program will be run with. */
  readonly node: readonly string[];
}

/** Of so many programs, each some MB; the youngest stay. */
const keptSnapshots = 8;

/** The snapshot's name below the program's folder. */
export const snapshotFile = 'start-up.blob';

/**
 * Programs as Node has evaluated them, for `node --snapshot-blob`: in an emulated guest a daemon starts with half of the processor
 * time, and needs no compile cache. Made by the first host that has none, and kept on this machine for all hosts alike.
 */
export class StartupSnapshots {
  readonly #folder: string;

  /** @param folder on this machine */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Gives the host the program's tree with its snapshot, in place of the file that it was made of. False: none is kept. */
  async give(ssh: Ssh, program: SnapshotProgram, signal: AbortSignal): Promise<boolean> {
    const kept = await readFile(this.#file(program)).catch(() => undefined);
    if (kept === undefined) return false;
    await ssh.ok(['sh', '-c', unpackScript, 'give', program.folder], { input: kept, signal });
    return true;
  }

  /** Makes the snapshot on a host that has the program's tree, and keeps both. */
  async make(ssh: Ssh, program: SnapshotProgram, signal: AbortSignal): Promise<void> {
    const { folder, file, node } = program;
    const [command = '', ...options] = node;
    const make = [
      command,
      ...options,
      '--snapshot-blob',
      snapshotFile,
      '--build-snapshot',
      builderFile,
      file,
    ];
    const packed = await ssh.ok(['sh', '-c', makeScript, 'make', folder, dirname(file), ...make], {
      input: builder,
      signal,
    });
    await mkdir(this.#folder, { recursive: true });
    const path = this.#file(program);
    const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    await writeFile(temporary, await promisify(gzip)(Buffer.from(packed, 'base64')));
    await rename(temporary, path);
    await this.#prune();
  }

  async #prune(): Promise<void> {
    const paths = (await readdir(this.#folder)).map((name) => join(this.#folder, name));
    const times = await Promise.all(
      paths.map(async (path) => (await stat(path).catch(() => undefined))?.mtimeMs ?? 0),
    );
    const young = times.toSorted((a, b) => b - a)[keptSnapshots - 1] ?? 0;
    await Promise.all(
      paths.filter((_, index) => (times[index] ?? 0) < young).map((path) => rm(path, { force: true })),
    );
  }

  #file({ hash, v8 }: SnapshotProgram): string {
    return join(this.#folder, `${hash}-${v8}.tar.gz`);
  }
}

/** Makes the folder `$1` of a tar.gz, whole. */
export const unpackScript = 'mkdir -p "$1.new" && tar -x -z -C "$1.new" && rm -rf "$1" && mv "$1.new" "$1"';

const builderFile = 'builder.cjs';

/**
 * Evaluates the file with all its functions compiled: V8 compiles a function at its first call else, in each life of the program again.
 * The flag is taken back, for a snapshot is only good for the flags that it was made with.
 */
const builder = `
const { compileFunction } = require('node:vm');
const { setFlagsFromString } = require('node:v8');
const { dirname, resolve } = require('node:path');
const filename = resolve(process.argv[2]);
const text = require('node:fs').readFileSync(filename, 'latin1');
setFlagsFromString('--no-lazy');
const evaluate = compileFunction(text, ['require', '__filename', '__dirname'], { filename });
setFlagsFromString('--lazy');
evaluate(require, filename, dirname(filename));
`;

const makeScript = `cd "$1" && cat > ${builderFile} || exit 1
sources=$2; shift 2
said=$("$@" 2>&1) || { rm -f ${builderFile} ${snapshotFile}; echo "$said" >&2; exit 1; }
rm ${builderFile}
tar -c --exclude="./$sources" . | base64 -w 0`;
