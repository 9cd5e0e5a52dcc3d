import { afterAll } from 'vitest';
import { describeLeakDetector, openPlantedWorld } from './plant-suite.ts';
import { openTestWorld } from './test-world.ts';

const isRoot = process.getuid?.() === 0;
const opened = isRoot ? await openPlantedWorld(await openTestWorld()) : { skipped: 'not root' };

afterAll(async () => {
  if ('skipped' in opened) return;
  await opened.leaks[Symbol.asyncDispose]();
  await opened.world[Symbol.asyncDispose]();
});

/** What the test world shares with a machine on which others work too. */
const shared = [
  ...(['cgroup', 'frozen-cgroup', 'loop', 'dm', 'zfs'] as const).map((kind) => ({
    kind,
    what: '^(?!.*(planted-|leak-world))',
    because: 'of another test on this machine',
  })),
  { kind: 'kernel-log', what: '', because: 'of another test on this machine' } as const,
];

describeLeakDetector(opened, shared);
