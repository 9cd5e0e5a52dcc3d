import { closeSync, type FSWatcher, openSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HullError } from '../base/errors.ts';
import { EventFd } from '../sys/eventfd.ts';
import { homeOf } from './apply-limits.ts';
import { ifGone, readField, readValue, writeValue } from './files.ts';
import type { Hierarchy } from './hierarchies.ts';
import { type MemoryEvents, memoryEvents } from './stats/memory-stats.ts';
import { groupReader } from './stats/stats.ts';

/**
 * A group's memory events, each time their counts have changed, until the group is gone or `signal` ends it. v2 tells all
 * of them through memory.events; v1 only `oom`, through cgroup.event_control, and `oomKill`. A kill that ends the group may
 * come too late to be told: ask `oomKilled` before it is removed. Kind `unsupported` without a memory controller.
 */
export async function* watchMemory(
  hierarchies: readonly Hierarchy[],
  path: string,
  signal: AbortSignal,
): AsyncGenerator<MemoryEvents, void> {
  const home = homeOf(hierarchies, 'memory');
  if (!home) {
    throw new HullError(
      `Cannot watch the memory of cgroup ${JSON.stringify(path)}: found no memory controller, wanted v1's or v2's`,
      { kind: 'unsupported' },
    );
  }
  yield* home.version === 2 ? watchV2(home, path, signal) : watchV1(home, path, signal);
}

/**
 * The kernel sends inotify a change of memory.events (cgroup-v2.rst). Not its end: the file goes silently with its
 * folder, whose removal is told.
 */
async function* watchV2(
  home: Hierarchy,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<MemoryEvents, void> {
  const reader = groupReader(home, path);
  let wake = Promise.withResolvers<void>();
  const ring = () => wake.resolve();
  const watchers: FSWatcher[] = [];
  signal.addEventListener('abort', ring, { once: true });
  try {
    for (const name of ['memory.events', '.']) {
      const watcher = ifGone(() => watch(join(home.root, path, name), { persistent: false }, ring));
      if (!watcher) return;
      watchers.push(watcher.on('error', ring));
    }
    let last = memoryEvents(reader);
    while (last && !signal.aborted) {
      await wake.promise;
      wake = Promise.withResolvers<void>();
      const now = memoryEvents(reader);
      if (now && !signal.aborted && !isSame(last, now)) yield now;
      last = now;
    }
  } finally {
    for (const watcher of watchers) watcher.close();
    signal.removeEventListener('abort', ring);
  }
}

/** Node waits on no eventfd, so it is looked at a few times a second; what it counted meanwhile is not lost. */
const lookEveryMs = 100;

/** cgroup-v1/memory.rst "OOM Control": an eventfd is registered for memory.oom_control. */
async function* watchV1(
  home: Hierarchy,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<MemoryEvents, void> {
  const folder = join(home.root, path);
  const control = join(folder, 'memory.oom_control');
  using events = new EventFd();
  const registered = ifGone(() => {
    const file = openSync(control, 'r');
    try {
      writeValue(join(folder, 'cgroup.event_control'), `${events.fd} ${file}`);
      return true;
    } finally {
      closeSync(file);
    }
  });
  if (!registered) return;
  const kills = () => readField(control, 'oom_kill') ?? (ifGone(() => openClose(control)) ? 0 : undefined);
  let oom = 0;
  let killed = kills();
  while (killed !== undefined && !signal.aborted) {
    // The promise is rejected where the wait is ended; the loop sees that by itself.
    await sleep(lookEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
    const raised = events.take();
    const now = kills();
    // The removal of a group raises it as well.
    if (now === undefined || signal.aborted) return;
    if (raised > 0 || now !== killed) {
      oom += raised;
      yield {
        low: 0,
        high: 0,
        max: Number(readValue(join(folder, 'memory.failcnt')) ?? 0),
        oom,
        oomKill: now,
      };
    }
    killed = now;
  }
}

/** True where the file is there: before Linux 4.13 it does not count kills. */
function openClose(file: string): true {
  closeSync(openSync(file, 'r'));
  return true;
}

const isSame = (a: MemoryEvents, b: MemoryEvents): boolean =>
  a.low === b.low && a.high === b.high && a.max === b.max && a.oom === b.oom && a.oomKill === b.oomKill;
