import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { pack } from 'tar-stream';
import { builtinsPlugin } from './builtins-plugin.ts';

/** hull as one file for a host that has nothing but Node: the tree `lib/hull/hull.mjs` and koffi's native binary. */
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
    input: join(projectDir, 'runtime/cli/main.ts'),
    platform: 'node',
    // koffi asks for these packages first and looks on the disk when they are absent, as they are on the host.
    external: [/^@koromix\//],
    plugins: [builtinsPlugin()],
    logLevel: 'silent',
  });
  const { output } = await bundler.generate({ format: 'esm', codeSplitting: false });
  const [chunk, ...others] = output;
  if (others.length > 0) {
    throw new Error(
      `Cannot bundle hull: found ${1 + others.length} files (${others.map(({ fileName }) => fileName)}), wanted one`,
    );
  }
  const require = createRequire(join(projectDir, 'package.json'));
  const native = join(dirname(require.resolve(`@koromix/koffi-linux-${arch}`)), `linux_${arch}/koffi.node`);
  const files: readonly (readonly [string, Buffer])[] = [
    [hullProgram, Buffer.from(chunk.code)],
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
