import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../base/errors.ts';
import type { SpecMount } from '../base/oci.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { chooseModes } from './host-modes.ts';
import { hostnameOf } from './spec.ts';

/**
 * Writes the container's /etc/hostname, /etc/hosts and /etc/resolv.conf beside its record and answers their bind
 * mounts. With the host's network it gets the host's hosts and resolv.conf.
 */
export function writeContainerFiles(engine: Engine, container: Container): SpecMount[] {
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
  return Object.entries(texts).map(([name, text]) => {
    const source = join(folder, name);
    writeFileSync(source, text, { mode: 0o644 });
    return {
      destination: `/etc/${name}`,
      type: 'bind',
      source,
      options: ['bind', 'rprivate', ...(config.HostConfig.ReadonlyRootfs ? ['ro'] : [])],
    };
  });
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
