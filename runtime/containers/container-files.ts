import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../base/errors.ts';
import type { SpecMount } from '../base/oci.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { chooseModes } from './host-modes.ts';
import { hostnameOf } from './spec.ts';

export interface ContainerFiles {
  readonly mounts: readonly SpecMount[];
  /** Afterwards they are beside the container's record. */
  write(): void;
}

/**
 * The container's /etc/hostname, /etc/hosts and /etc/resolv.conf with their bind mounts. With the host's network it gets the host's hosts and
 * resolv.conf.
 */
export function containerFiles(engine: Engine, container: Container): ContainerFiles {
  const { config, id } = container.record;
  const modes = chooseModes(config.HostConfig, engine.cgroups.mode);
  const hostname = hostnameOf(id, config, modes);
  const shared = modes.network === 'host';
  const texts: Record<string, string> = {
    hosts: shared ? hostFile('/etc/hosts') : loopbackHosts(hostname),
    'resolv.conf': shared ? hostFile('/etc/resolv.conf') : '',
    ...(hostname === undefined ? {} : { hostname: `${hostname}\n` }),
  };
  const folder = engine.records.folder(id);
  const options = ['bind', 'rprivate', ...(config.HostConfig.ReadonlyRootfs ? ['ro'] : [])];
  return {
    mounts: Object.keys(texts).map((name) => ({
      destination: `/etc/${name}`,
      type: 'bind',
      source: join(folder, name),
      options,
    })),
    write() {
      for (const [name, text] of Object.entries(texts))
        writeFileSync(join(folder, name), text, { mode: 0o644 });
    },
  };
}

function hostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}

function loopbackHosts(hostname: string | undefined): string {
  const names = hostname === undefined ? '' : ` ${hostname}`;
  return `127.0.0.1\tlocalhost${names}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
}
