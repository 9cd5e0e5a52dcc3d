import type { HostProvider } from '../host.ts';
import { reapOwners } from '../owners.ts';
import { Guest } from './guest.ts';
import { runningHost } from './qemu-host.ts';
import { ensureTemplate } from './template.ts';
import { defaultTimes, type QemuTimes } from './times.ts';

/**
 * Guests in QEMU, built from Debian packages, booted once and cloned for every run. Their running hosts have a
 * PowerSwitch. `times` is for tests.
 */
export function createQemuProvider(times: Partial<QemuTimes> = {}): HostProvider {
  const all: QemuTimes = { ...defaultTimes, ...times };
  return {
    kind: 'qemu',
    async prepare(definition, context) {
      await ensureTemplate(definition, context, all);
    },
    async start(definition, context) {
      const template = await ensureTemplate(definition, context, all);
      const guest = await Guest.create(template, definition.name, context, all);
      try {
        return runningHost(guest, await guest.start());
      } catch (error) {
        await guest[Symbol.asyncDispose]();
        throw error;
      }
    },
    reap: ({ cacheDir }) => reapOwners(cacheDir),
  };
}
