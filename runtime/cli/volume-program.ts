import { Command, type Option } from 'commander';
import { collect } from './options.ts';

/** `hull volume …`: names and flags are docker's. `hostOption` makes the option that every command has. */
export function volumeProgram(hostOption: () => Option): Command {
  const program = new Command('volume').description('make, show and remove volumes');
  const commands = async () => await import('./commands/volume.ts');

  program
    .command('create [name]')
    .description('make a volume and print its name; without a name it gets one')
    .option('-o, --opt <key=value>', 'type, device or o, as for mount(8); may be repeated', collect, [])
    .option('--label <key=value>', 'label; may be repeated', collect, [])
    .addOption(hostOption())
    .action(async (name, flags) => await (await commands()).createVolume(name, flags));

  program
    .command('ls')
    .description('list the volumes')
    .option('-q, --quiet', 'names only', false)
    .option('-f, --filter <key=value>', 'dangling, label or name; may be repeated', collect, [])
    .addOption(hostOption())
    .action(async (flags) => await (await commands()).listVolumes(flags));

  program
    .command('inspect <names...>')
    .description('print what is known of volumes, as JSON')
    .addOption(hostOption())
    .action(async (names, flags) => await (await commands()).inspectVolumes(names, flags));

  program
    .command('rm <names...>')
    .description('remove volumes that no container uses')
    .option('-f, --force', 'one that is not there is no error', false)
    .addOption(hostOption())
    .action(async (names, flags) => await (await commands()).removeVolumes(names, flags));

  program
    .command('prune')
    .description('remove the volumes without a name of their own that no container uses')
    .option('-a, --all', 'those with a name, too', false)
    .option('--filter <key=value>', 'label; may be repeated', collect, [])
    .addOption(hostOption())
    .action(async (flags) => await (await commands()).pruneVolumes(flags));

  return program;
}
