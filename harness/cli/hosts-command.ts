import { join } from 'node:path';
import { Command } from 'commander';
import { loadHosts } from '../matrix/load-hosts.ts';
import { projectDir } from './project.ts';

/** `seatrial hosts`: what hosts.yaml says, after validation. */
export function hostsCommand(): Command {
  return new Command('hosts')
    .description('Checks hosts.yaml and prints its hosts, engines and drivers.')
    .action(async () => {
      for (const host of await loadHosts(join(projectDir, 'hosts.yaml'))) {
        const machine = `${host.cpus} CPU, ${host.memoryMiB} MiB, disk ${host.diskGiB} GiB`;
        console.log(`${host.name}  ${host.provider}, ${host.distribution} ${host.release}, ${machine}`);
        if (host.kernel !== undefined) console.log(`  kernel: ${host.kernel}`);
        if (host.kernelArgs.length > 0) console.log(`  kernel arguments: ${host.kernelArgs.join(' ')}`);
        for (const engine of host.engines) {
          for (const { name, required, onDemand, fileSystem, packages = [], options } of engine.drivers) {
            const settings = Object.entries(options).map(([key, value]) => `${key}=${value}`);
            const words = [
              required ? 'required' : 'not required',
              ...(onDemand ? ['on demand'] : []),
              ...(fileSystem ? [`on ${fileSystem}`] : []),
              ...(packages.length > 0 ? [`with ${packages.join(' ')}`] : []),
              ...settings,
            ];
            console.log(`  ${host.name}/${engine.name}/${name}  ${words.join(', ')}`);
          }
        }
      }
    });
}
