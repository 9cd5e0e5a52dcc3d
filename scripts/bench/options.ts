import { Command, InvalidArgumentError, Option } from 'commander';
import { payloadMiB } from './images.ts';
import { nameOf, type Task } from './task.ts';

export interface BenchOptions {
  readonly tasks: readonly string[];
  readonly subjects: readonly string[];
  readonly samples: number;
  readonly warmup: number;
  readonly seed: number;
  /** Seconds after which a task begins no further round. */
  readonly budget: number;
  /** MiB that image-load and image-commit move. */
  readonly payload: number;
  readonly json?: string;
  readonly list: boolean;
  /** Of hosts.yaml: a guest to measure in, instead of this machine. */
  readonly host?: string;
  /** Of hosts.yaml: storage drivers whose packages the guest has besides. */
  readonly drivers?: readonly string[];
}

/** Throws a CommanderError whose message is one line; after --help one with exit code 0. */
export function parseBenchOptions(args: readonly string[], tasks: readonly Task[]): BenchOptions {
  const taskNames = tasks.map(({ name }) => name);
  const contenders = tasks.flatMap((task) => task.contenders);
  const subjects = [...new Set(contenders.flatMap((contender) => [contender.subject, nameOf(contender)]))];
  const command = new Command('npm run bench --')
    .description('Measures container engines side by side on this machine, as root; prints a table.')
    .addOption(new Option('--tasks <names>', 'comma-separated').argParser(names('task', taskNames)))
    .addOption(
      new Option('--subjects <names>', 'comma-separated: hull, or hull/vfs').argParser(
        names('subject', subjects),
      ),
    )
    .addOption(new Option('--samples <number>', 'rounds that count').argParser(whole(1, 100_000)).default(20))
    .addOption(new Option('--warmup <number>', 'rounds before that').argParser(whole(0, 1000)).default(2))
    .addOption(
      new Option('--seed <number>', 'of the order in each round')
        .argParser(whole(0, 2 ** 32 - 1))
        .default(undefined, 'the time'),
    )
    .addOption(
      new Option('--budget <seconds>', 'of a task; it has 5 rounds at least')
        .argParser(whole(0, 86_400))
        .default(15),
    )
    .addOption(
      new Option('--payload <MiB>', 'that image-load and image-commit move')
        .argParser(whole(1, 4096))
        .default(undefined, `${payloadMiB.here}, in guests ${payloadMiB.guest}`),
    )
    .option('--json <file>', 'writes the rows and their ratios')
    .option('--host <name>', 'in a fresh guest of hosts.yaml, with its Docker')
    .option('--drivers <names>', 'with what these drivers of hosts.yaml need (zfs) in the guest', commas)
    .option('--list', 'names the tasks and who takes part', false)
    .allowExcessArguments(false)
    // The error itself says it; whoever catches it prints it once.
    .configureOutput({ writeErr: () => undefined })
    .exitOverride();
  command.parse(args, { from: 'user' });
  const given = command.opts<Partial<BenchOptions>>();
  return {
    tasks: given.tasks ?? taskNames,
    subjects: given.subjects ?? subjects,
    samples: given.samples ?? 20,
    warmup: given.warmup ?? 2,
    seed: given.seed ?? Math.floor(Date.now() / 1000),
    budget: given.budget ?? 15,
    payload: given.payload ?? (given.host === undefined ? payloadMiB.here : payloadMiB.guest),
    list: given.list ?? false,
    ...(given.json === undefined ? {} : { json: given.json }),
    ...(given.host === undefined ? {} : { host: given.host }),
    ...(given.drivers === undefined ? {} : { drivers: given.drivers }),
  };
}

/** The words of these options for the same bench in a guest: without what is this machine's. */
export function wordsForGuest({
  tasks,
  subjects,
  samples,
  warmup,
  seed,
  budget,
  payload,
}: BenchOptions): readonly string[] {
  return [
    ...['--tasks', tasks.join(','), '--subjects', subjects.join(','), '--samples', String(samples)],
    ...['--warmup', String(warmup), '--seed', String(seed), '--budget', String(budget)],
    ...['--payload', String(payload)],
  ];
}

export function isChosen(
  contender: { readonly subject: string; readonly driver?: string | undefined },
  subjects: readonly string[],
): boolean {
  return subjects.includes(contender.subject) || subjects.includes(nameOf(contender));
}

function commas(text: string): readonly string[] {
  return text.split(',').map((name) => name.trim());
}

function names(what: string, known: readonly string[]) {
  return (text: string): readonly string[] => {
    const given = commas(text);
    const wrong = given.filter((name) => !known.includes(name));
    if (wrong.length === 0) return given;
    throw new InvalidArgumentError(
      `found no ${what} ${JSON.stringify(wrong[0])}, wanted some of ${known.join(', ')}`,
    );
  };
}

function whole(from: number, to: number) {
  return (text: string): number => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= from && number <= to) return number;
    throw new InvalidArgumentError(
      `found ${JSON.stringify(text)}, wanted a whole number from ${from} to ${to}`,
    );
  };
}
