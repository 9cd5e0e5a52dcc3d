import { lookup } from 'node:dns/promises';
import { HullError } from '../base/errors.ts';
import { errorText } from '../base/log.ts';
import { mountOnHost, unmountOnHost } from '../launch/mount-on-host.ts';
import type { VolumeMount } from './driver-options.ts';
import { isMounted } from './mounted.ts';
import type { Volume } from './volume.ts';

/** Kind `invalid`: what is wrong with a mount of the user's own is for the user to mend. */
export async function mountVolume(volume: Volume, mount: VolumeMount): Promise<void> {
  try {
    const options = await resolveServer(mount);
    await mountOnHost({ type: mount.type, source: mount.device, options }, volume.mountPoint);
  } catch (error) {
    const { type, device, options } = mount;
    throw new HullError(
      `failed to mount local volume ${volume.name} (type ${type}, device ${device}, o ${options.join(',') || 'none'}): ${errorText(error)}`,
      { kind: 'invalid', cause: error },
    );
  }
}

/** Several mounts may lie over each other where an earlier daemon was killed in between. */
export async function unmountVolume(path: string): Promise<void> {
  for (let tries = 0; isMounted(path) && tries < 8; tries++) await unmountOnHost(path);
}

/** Network file systems want their server's address as a number; mount(8) and Docker look a name up. */
async function resolveServer({ type, options }: VolumeMount): Promise<readonly string[]> {
  if (!['nfs', 'nfs4', 'cifs'].includes(type)) return options;
  return await Promise.all(
    options.map(async (word) => {
      if (!word.startsWith('addr=')) return word;
      const { address } = await lookup(word.slice('addr='.length));
      return `addr=${address}`;
    }),
  );
}
