import type { Engine } from '../containers/engine.ts';
import { defaultRegistry } from '../images/reference.ts';

/** `/info` as Docker has it. */
export async function registryView(engine: Engine): Promise<unknown> {
  const { networks, hosts } = (await engine.registry()).insecure;
  const entries = [
    [defaultRegistry, { Name: defaultRegistry, Mirrors: [], Secure: true, Official: true }],
    ...hosts.map((host) => [host, { Name: host, Mirrors: [], Secure: false, Official: false }]),
  ];
  return { InsecureRegistryCIDRs: networks, IndexConfigs: Object.fromEntries(entries), Mirrors: [] };
}
