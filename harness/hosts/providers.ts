import type { HostProvider } from './host.ts';
import { createQemuProvider } from './qemu/provider.ts';

/** The providers that hosts.yaml may name, by that name. */
export function createProviders(): ReadonlyMap<string, HostProvider> {
  return new Map([createQemuProvider()].map((provider) => [provider.kind, provider]));
}
