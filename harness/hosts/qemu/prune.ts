import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What another branch or another machine's definition of the same host may still use. */
const keep = 2;
const unusedMs = 24 * 3600_000;

/**
 * Removes the images and templates of this host that were not used for a day, but for the newest two: keys change with
 * every change of hosts.yaml, QEMU or Node, and each is some hundred megabytes. Answers the folders removed.
 */
export async function pruneCache(
  cacheDir: string,
  name: string,
  progress: (message: string) => void,
  now = Date.now(),
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const kind of ['templates', 'images']) {
    const parent = join(cacheDir, kind);
    // A key has no dash: `debian-1-<key>` is not a folder of host `debian`.
    const isOurs = (folder: string) =>
      folder.startsWith(`${name}-`) && /^[0-9a-f]{16}$/.test(folder.slice(name.length + 1));
    const folders = (await readdir(parent).catch(() => [])).filter(isOurs);
    const used = await Promise.all(
      folders.map(async (folder) => ({
        path: join(parent, folder),
        at: (await stat(join(parent, folder))).mtimeMs,
      })),
    );
    const old = used.sort((a, b) => b.at - a.at).slice(keep);
    for (const { path } of old.filter(({ at }) => now - at > unusedMs)) {
      progress(`removing ${path}, unused for a day`);
      await rm(path, { recursive: true, force: true });
      removed.push(path);
    }
  }
  return removed;
}
