import { Command, CommanderError } from 'commander';
import { HostsFileError } from '../matrix/load-hosts.ts';
import { SelectionError } from '../matrix/plan.ts';
import { hostsCommand } from './hosts-command.ts';
import { listCommand } from './list-command.ts';
import { reapCommand } from './reap-command.ts';
import { runCommand } from './run-command.ts';

const usageError = 2;

const program = new Command('seatrial')
  .description(
    'Tries container engines on real kernels and reports, per host and storage driver, what held and what broke.',
  )
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .addCommand(runCommand(), { isDefault: true })
  .addCommand(listCommand())
  .addCommand(hostsCommand())
  .addCommand(reapCommand());

// Subcommands do not inherit it.
for (const command of program.commands) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : usageError;
  } else if (error instanceof SelectionError || error instanceof HostsFileError) {
    console.error(error.message);
    process.exitCode = usageError;
  } else {
    console.error(error);
    process.exitCode = 1;
  }
}
// Whatever a library still holds open must not keep a finished command alive.
process.exit();
