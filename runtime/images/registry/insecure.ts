import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { HullError } from '../../base/errors.ts';

/** As Docker: registries of this machine need no certificate. */
export const loopbackNetworks: readonly string[] = ['127.0.0.0/8', '::1/128'];

/** Registries whose certificate is not checked, and that may speak plain HTTP. */
export interface InsecureRegistries {
  readonly networks: readonly string[];
  /** `host` or `host:port`, in lower case. */
  readonly hosts: readonly string[];
}

/**
 * Reads `--insecure-registry` values: `host`, `host:port` or a network as `10.0.0.0/8`.
 * @throws HullError `invalid` naming the value.
 */
export function parseInsecureRegistries(values: readonly string[]): InsecureRegistries {
  const networks = values.filter((value) => value.includes('/'));
  for (const network of networks) {
    if (/:\/\//.test(network) || !parseNetwork(network)) {
      throw new HullError(
        `Cannot use --insecure-registry ${JSON.stringify(network)}: wanted a host, host:port or a network as 10.0.0.0/8`,
        { kind: 'invalid' },
      );
    }
  }
  const hosts = values.filter((value) => !value.includes('/')).map((value) => value.toLowerCase());
  return { networks: [...loopbackNetworks, ...networks], hosts };
}

/** Whether a registry (`host` or `host:port`) is named, or an address of it is in one of the networks. */
export async function isInsecure(registry: string, insecure: InsecureRegistries): Promise<boolean> {
  const host = registry.toLowerCase().replace(/:\d+$/, '');
  if (insecure.hosts.includes(registry.toLowerCase()) || insecure.hosts.includes(host)) return true;
  const list = new BlockList();
  for (const network of insecure.networks) {
    const parsed = parseNetwork(network);
    if (parsed) list.addSubnet(parsed.address, parsed.bits, parsed.family);
  }
  const name = host.replace(/^\[(.*)\]$/, '$1');
  const addresses = isIP(name) ? [name] : await addressesOf(name);
  return addresses.some((address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'));
}

async function addressesOf(name: string): Promise<readonly string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch {
    // Whoever connects to it says why it is unknown.
    return [];
  }
}

function parseNetwork(
  text: string,
): { readonly address: string; readonly bits: number; readonly family: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', bitsText = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const version = isIP(address);
  const bits = Number(bitsText);
  if (version === 0 || bits > (version === 4 ? 32 : 128)) return undefined;
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
}
