import { watch } from 'node:fs';
import { dirname } from 'node:path';
import { monotonicMs } from '../../base/monotonic.ts';

/** How long an answer holds: of folders that are watched, against what a watch does not see (a folder above that is moved), and of others. */
const holdsMs = { watched: 2000, unwatched: 100 } as const;

/**
 * Asks as seldom as it can whether files are as they were: again when something has happened in one of their folders (inotify(7)), or after so
 * long. The watches keep no process alive.
 */
export function askOnChange(paths: readonly string[], ask: () => boolean): () => boolean {
  let asked = Number.NEGATIVE_INFINITY;
  let answer = true;
  const forget = () => {
    asked = Number.NEGATIVE_INFINITY;
  };
  const watched = [...new Set(paths.map((path) => dirname(path)))].every((folder) =>
    watchFolder(folder, forget),
  );
  const ms = watched ? holdsMs.watched : holdsMs.unwatched;
  return () => {
    if (monotonicMs() - asked < ms) return answer;
    asked = monotonicMs();
    answer = ask();
    return answer;
  };
}

/** False where there are no watches left, or none of this file system. */
function watchFolder(folder: string, changed: () => void): boolean {
  try {
    watch(folder, { persistent: false }, changed).on('error', changed);
    return true;
  } catch {
    return false;
  }
}
