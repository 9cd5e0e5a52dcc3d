import { lstatSync, readdirSync } from 'node:fs';

const mostEntries = 16;
const mostBytes = 65536;
const slash = Buffer.from('/');

/** Whether nobody would notice the room that a folder takes: a few files, 64 kB of them. Looks at no more than that. */
export function isSmallTree(folder: string): boolean {
  let [entries, bytes] = [0, 0];
  // Names are bytes: a container may have made ones that are no UTF-8.
  const folders = [Buffer.from(folder)];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const entry of readdirSync(next, { withFileTypes: true, encoding: 'buffer' })) {
      entries++;
      const path = Buffer.concat([next, slash, entry.name]);
      if (entry.isDirectory()) folders.push(path);
      else bytes += lstatSync(path).size;
      if (entries > mostEntries || bytes > mostBytes) return false;
    }
  }
  return true;
}
