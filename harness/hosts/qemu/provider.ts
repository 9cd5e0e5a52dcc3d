import type { HostProvider } from '../host.ts';
import { reapOwners } from '../owners.ts';
import { startClone } from './clone.ts';
import { ensureTemplate } from './template.ts';

/** Guests in QEMU, built from Debian packages, booted once and cloned for every run. */
export function createQemuProvider(): HostProvider {
  return {
    kind: 'qemu',
    async prepare(definition, context) {
      await ensureTemplate(definition, context);
    },
    async start(definition, context) {
      const template = await ensureTemplate(definition, context);
      return startClone(template, definition.name, context);
    },
    reap: ({ cacheDir }) => reapOwners(cacheDir),
  };
}
