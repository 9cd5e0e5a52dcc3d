import type { RunningHost } from '../hosts/host.ts';
import type { TestWorld } from './test-world.ts';

/** A guest as a world: it is thrown away afterwards, so nothing is undone. */
export async function openGuestWorld(host: RunningHost): Promise<TestWorld> {
  const folder = (await host.ssh.ok(['mktemp', '-d', '/var/tmp/leak-world-XXXXXX'])).trim();
  const node = '/opt/seatrial/bin/node';
  const label = folder.slice(-6);
  await host.ssh.ok(['mkdir', `${folder}/state`]);
  return {
    folder,
    label,
    node,
    sh: (script) =>
      host.ssh.ok(['env', `FOLDER=${folder}`, `LABEL=${label}`, `NODE=${node}`, 'bash', '-euc', script]),
    ssh: host.ssh,
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}
