import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { pack } from 'tar-stream';
import { builtinsPlugin } from './builtins-plugin.ts';
import { entryFile, entryPlugin } from './hull-entry.ts';
import { inOneByte } from './in-one-byte.ts';
import { koffiPath, koffiPlugin } from './koffi-plugin.ts';

/** hull for a host that has nothing but Node: one file of all its code, and koffi's native binary. */
export interface HullBundle {
  /** Of all its contents, 16 hex digits: hosts keep bundles by it. */
  readonly hash: string;
  /** The tree as an uncompressed tar. */
  readonly tar: Uint8Array;
}

/** Where the program stands in the bundle's tree. */
export const hullProgram = 'lib/hull/hull.cjs';

/** Bundles the project's hull. Throws rolldown's error where it does not build. Some 200 ms. */
export async function bundleHull(projectDir: string, arch: 'x64' | 'arm64'): Promise<HullBundle> {
  const runtimeDir = join(projectDir, 'runtime');
  await using bundler = await rolldown({
    input: { hull: entryFile(runtimeDir) },
    platform: 'node',
    plugins: [entryPlugin(runtimeDir), builtinsPlugin(), koffiPlugin(arch)],
    logLevel: 'silent',
  });
  const { output } = await bundler.generate({ format: 'cjs', comments: false, codeSplitting: false });
  const require = createRequire(join(projectDir, 'package.json'));
  const native = join(dirname(require.resolve(`@koromix/koffi-linux-${arch}`)), `linux_${arch}/koffi.node`);
  const files: readonly (readonly [string, Buffer])[] = [
    [hullProgram, inOneByte(output[0].code)],
    [join(dirname(hullProgram), koffiPath(arch)), await readFile(native)],
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
