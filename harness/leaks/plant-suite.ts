import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { connectLeakDetector } from './detector.ts';
import { type Plant, plants } from './plants.ts';
import type { TestWorld } from './test-world.ts';
import type { Allowance, Difference, LeakDetector, Snapshot } from './types.ts';

/** A world with a detector in it, and why which plants cannot be planted there. */
export interface PlantedWorld {
  readonly world: TestWorld;
  readonly leaks: LeakDetector;
  readonly missing: ReadonlyMap<string, string>;
}

/** The world belongs to what is answered; it is closed where its detector cannot be opened. */
export async function openPlantedWorld(world: TestWorld): Promise<PlantedWorld> {
  try {
    return await plantDetector(world);
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}

async function plantDetector(world: TestWorld): Promise<PlantedWorld> {
  const leaks = await connectLeakDetector(world.ssh, {
    node: world.node,
    agentPath: `${world.folder}/agent.mjs`,
    stateFolders: [{ path: `${world.folder}/state`, opaque: ['layers/[^/]+'], ignore: ['.*\\.log'] }],
  });
  const missing = new Map<string, string>();
  for (const { title, probe } of plants) {
    if (probe === undefined) continue;
    const error = await world.sh(probe).then(
      () => undefined,
      (reason: { stderr?: string }) => reason.stderr?.trim().split('\n')[0] ?? String(reason),
    );
    if (error !== undefined) missing.set(title, ` (skipped: \`${probe}\` failed: ${error})`);
  }
  return { world, leaks, missing };
}

/**
 * The detector's tests, the same on this machine and in guests. Without a world all are skipped.
 *
 * @param shared what the world has in common with others at work on the same machine
 */
export function describeLeakDetector(
  opened: PlantedWorld | { readonly skipped: string },
  shared: readonly Allowance[],
): void {
  function detectorTest(title: string, body: (world: TestWorld, leaks: LeakDetector) => Promise<void>): void {
    const why = 'skipped' in opened ? ` (skipped: ${opened.skipped})` : (opened.missing.get(title) ?? '');
    it.skipIf(why !== '')(`${title}${why}`, { timeout: 20_000 }, async () => {
      if ('world' in opened) await body(opened.world, opened.leaks);
    });
  }

  async function plantAndFind(world: TestWorld, leaks: LeakDetector, planted: Plant): Promise<void> {
    const before = await leaks.snapshot();
    const isIt = ({ kind, what }: Difference) => kind === planted.kind && planted.what.test(what);
    try {
      const pid = (await world.sh(planted.plant)).trim().split('\n').at(-1) ?? '';
      const found = await lookUntil(leaks, before, (differences) => differences.some(isIt));
      const one = found.find(isIt);
      expect(one, `not among ${JSON.stringify(found, undefined, 1)}`).toBeDefined();
      if (planted.owner !== undefined)
        expect(one?.owner).toMatch(new RegExp(planted.owner.replace('PID', pid)));
    } finally {
      await world.sh(planted.undo);
    }
    const left = await leaks.diff(before, { deadlineMs: 5000, ignore: shared });
    expect(left).toEqual([]);
  }

  for (const planted of plants)
    detectorTest(planted.title, (world, leaks) => plantAndFind(world, leaks, planted));

  detectorTest('reports nothing where nothing happened', async (_world, leaks) => {
    const before = await leaks.snapshot();
    expect(await leaks.diff(before, { ignore: shared })).toEqual([]);
  });

  detectorTest('takes a restarted process for the same', async (world, leaks) => {
    const daemon = 'unshare --mount sleep 305 >/dev/null 2>&1 & sleep 0.2';
    await world.sh(daemon);
    const before = await leaks.snapshot();
    await world.sh(`pkill -f '^sleep 305$'; ${daemon}`);
    expect(await leaks.diff(before, { ignore: shared })).toEqual([]);
    await world.sh("pkill -f '^sleep 305$'");
  });

  detectorTest('reports a mount of the host that is gone', async (world, leaks) => {
    await world.sh('mount -t tmpfs of-the-host /mnt');
    const before = await leaks.snapshot();
    await world.sh('umount /mnt');
    const found = await leaks.diff(before, { deadlineMs: 0, ignore: shared });
    expect(found).toContainEqual({
      kind: 'mount',
      change: 'removed',
      what: expect.stringMatching(/^tmpfs of-the-host at \/mnt \(\S+ \w+\)$/),
    });
  });

  detectorTest('reports a mount whose flags have changed', async (world, leaks) => {
    await world.sh('mount -t tmpfs of-the-host /mnt');
    const before = await leaks.snapshot();
    await world.sh('mount -o remount,bind,nosuid /mnt');
    const found = await leaks.diff(before, { deadlineMs: 0, ignore: shared });
    await world.sh('umount /mnt');
    expect(found).toMatchObject([
      {
        kind: 'mount',
        change: 'changed',
        what: expect.stringMatching(/at \/mnt \(rw,nosuid.*, was .*\(rw,rel/),
      },
    ]);
  });

  detectorTest('reports a file that has grown, and one of an ignored name never', async (world, leaks) => {
    await world.sh('echo 1 > $FOLDER/state/index');
    const before = await leaks.snapshot();
    await world.sh('truncate -s 100 $FOLDER/state/index; touch $FOLDER/state/daemon.log');
    expect(await leaks.diff(before, { deadlineMs: 0, ignore: shared })).toEqual([]);
    await world.sh('truncate -s 1M $FOLDER/state/index');
    expect(await leaks.diff(before, { deadlineMs: 0, ignore: shared })).toMatchObject([
      {
        kind: 'file',
        change: 'changed',
        what: expect.stringMatching(/index \(1048576 bytes\), was .*\(2 bytes\)/),
      },
    ]);
    await world.sh('rm $FOLDER/state/*');
  });

  detectorTest('waits for what goes away by itself, and not longer', async (world, leaks) => {
    const before = await leaks.snapshot();
    await world.sh('sleep 0.7 >/dev/null 2>&1 &');
    const started = performance.now();
    expect(await leaks.diff(before, { ignore: shared })).toEqual([]);
    expect(performance.now() - started).toBeLessThan(4000);
  });

  detectorTest('names the holders of a mount point', async (world, leaks) => {
    await world.sh('mount -t tmpfs planted /mnt; cd /mnt; sleep 300 >/dev/null 2>&1 &');
    const holders = await leaks.holders('/mnt');
    await world.sh("pkill -f '^sleep 300$'; until umount /mnt; do sleep 0.05; done");
    expect(holders).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^pid \d+ \(sleep\) in mnt:\[\d+\]: cwd \/mnt$/),
        expect.stringMatching(/: mount tmpfs at \/mnt$/),
      ]),
    );
  });

  detectorTest('shows the mount table of every namespace', async (world, leaks) => {
    await world.sh('unshare --mount sleep 306 >/dev/null 2>&1 & sleep 0.2');
    const text = await leaks.mountinfo();
    await world.sh("pkill -f '^sleep 306$'");
    expect(text).toMatch(/^# mnt:\[\d+\] of pid 1 \(/);
    expect(text).toMatch(/^# mnt:\[\d+\] of pid \d+ \(sleep 306\)$/m);
  });
}

/** Looks until `accept` holds, because what was planted may need a moment to show, or to go. */
async function lookUntil(
  leaks: LeakDetector,
  since: Snapshot,
  accept: (found: readonly Difference[]) => boolean,
): Promise<readonly Difference[]> {
  for (let tries = 0; ; tries += 1) {
    const found = await leaks.diff(since, { deadlineMs: 0 });
    if (accept(found) || tries === 20) return found;
    await sleep(100);
  }
}
