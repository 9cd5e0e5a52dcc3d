import { Command, InvalidArgumentError, Option } from 'commander';

export interface GuestTestOptions {
  /** Names in hosts.yaml; undefined: every one. */
  readonly hosts: readonly string[] | undefined;
  /** Storage drivers of hosts.yaml whose packages the guests have besides. */
  readonly drivers: readonly string[];
  /** MiB. */
  readonly memory: number;
  readonly cpus: number;
  /** Bytes of each spare disk. */
  readonly disks: readonly number[];
  /** vitest's -t. */
  readonly text: string | undefined;
  /** Parts of test files' paths. */
  readonly files: readonly string[];
}

/** Reads the words of `npm run test:guests -- …`. Throws commander's error where they are wrong, or ask for help. */
export function parseOptions(args: readonly string[]): GuestTestOptions {
  const command = new Command('npm run test:guests --')
    .description("Runs this project's kernel tests inside the guests of hosts.yaml.")
    .argument('[files...]', 'only test files with this in their path')
    .option('--hosts <names>', 'only these hosts of hosts.yaml, separated by commas', names)
    .option('--drivers <names>', 'with what these drivers of hosts.yaml need, separated by commas', names)
    .addOption(
      new Option('--memory <MiB>', 'memory of each guest').argParser(whole(512, 65_536)).default(2048),
    )
    .addOption(new Option('--cpus <count>', 'processors of each guest').argParser(whole(1, 64)).default(2))
    .addOption(
      new Option('--disk <size>', 'an empty disk more, such as 4G; may be given more than once')
        .argParser(diskSizes)
        .default([], 'none'),
    )
    .option('-t, --text <pattern>', 'only tests whose full name matches')
    .exitOverride();
  command.parse(args, { from: 'user' });
  const {
    hosts,
    drivers = [],
    memory,
    cpus,
    disk,
    text,
  } = command.opts<{
    hosts?: readonly string[];
    drivers?: readonly string[];
    memory: number;
    cpus: number;
    disk: readonly number[];
    text?: string;
  }>();
  return { hosts, drivers, memory, cpus, disks: disk, text, files: command.args };
}

function names(text: string): readonly string[] {
  const list = text.split(',').map((name) => name.trim());
  if (list.some((name) => name === '')) throw new InvalidArgumentError('Wanted names separated by commas.');
  return list;
}

function whole(from: number, to: number) {
  return (text: string): number => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= from && number <= to) return number;
    throw new InvalidArgumentError(
      `Found ${JSON.stringify(text)}, wanted a whole number from ${from} to ${to}.`,
    );
  };
}

function diskSizes(text: string, before: readonly number[]): readonly number[] {
  const [, digits = '', unit] = /^(\d{1,6})([MG])$/.exec(text) ?? [];
  const bytes = Number(digits) * (unit === 'G' ? 2 ** 30 : 2 ** 20);
  if (bytes === 0)
    throw new InvalidArgumentError(`Found ${JSON.stringify(text)}, wanted a size such as 512M or 4G.`);
  return [...before, bytes];
}
