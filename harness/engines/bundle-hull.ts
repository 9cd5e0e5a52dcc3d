import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type OutputAsset, type OutputChunk, rolldown } from 'rolldown';
import { pack } from 'tar-stream';
import { builtinsPlugin } from './builtins-plugin.ts';
import { loadedTogether } from './loaded-together.ts';

/**
 * hull for a host that has nothing but Node: the tree `lib/hull/hull.mjs`, beside it what that loads when it is needed, and
 * koffi's native binary.
 */
export interface HullBundle {
  /** Of all its contents, 16 hex digits: hosts keep bundles by it. */
  readonly hash: string;
  /** The tree as an uncompressed tar. */
  readonly tar: Uint8Array;
}

/** Where the program stands in the bundle's tree. koffi looks for its binary two folders above the file it is bundled into. */
export const hullProgram = 'lib/hull/hull.mjs';

/** Bundles `runtime/cli/main.ts` of the project. Throws rolldown's error where it does not build. Some 200 ms. */
export async function bundleHull(projectDir: string, arch: 'x64' | 'arm64'): Promise<HullBundle> {
  await using bundler = await rolldown({
    input: { hull: join(projectDir, 'runtime/cli/main.ts') },
    platform: 'node',
    // koffi asks for these packages first and looks on the disk when they are absent, as they are on the host.
    external: [/^@koromix\//],
    plugins: [builtinsPlugin()],
    logLevel: 'silent',
  });
  const { output } = await bundler.generate({
    format: 'esm',
    comments: false,
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name].mjs',
    codeSplitting: { groups: loadedTogether(join(projectDir, 'runtime')) },
  });
  const require = createRequire(join(projectDir, 'package.json'));
  const native = join(dirname(require.resolve(`@koromix/koffi-linux-${arch}`)), `linux_${arch}/koffi.node`);
  const files: readonly (readonly [string, Buffer])[] = [
    ...output.map((file): [string, Buffer] => [`${dirname(hullProgram)}/${file.fileName}`, textOf(file)]),
    [`build/koffi/linux_${arch}/koffi.node`, await readFile(native)],
  ];
  const hash = createHash('sha256');
  const tar = pack();
  for (const [name, data] of files) {
    hash.update(`${name}\0${data.length}\0`).update(data);
    tar.entry({ name, mode: 0o755, mtime: new Date(0) }, data);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const part of tar) chunks.push(Buffer.from(part as Uint8Array));
  return { hash: hash.digest('hex').slice(0, 16), tar: Buffer.concat(chunks) };
}

/** V8 keeps a text in one byte for each character where there is no other in it; those few are written as escapes. */
function textOf(file: OutputChunk | OutputAsset): Buffer {
  if (file.type === 'asset') return Buffer.from(file.source);
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return Buffer.from(file.code.replaceAll(/[^\0-\x7f]/g, escaped));
}
