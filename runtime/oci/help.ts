import type { OptionTable } from './options.ts';

/** What a verb takes behind its options, and what it does. */
const verbs: Readonly<Record<string, readonly [words: string, use: string]>> = {
  checkpoint: ['<container-id>', 'not there: hull has no checkpoints'],
  create: ['<container-id>', 'make a container; its command waits for "start"'],
  delete: ['<container-id>', 'remove all that is left of a container that does not run'],
  events: ['<container-id>', "print a container's use of resources, and that it ran out of memory"],
  exec: ['<container-id> <command> [argument …]', 'run another command in a container'],
  features: ['', 'print what this runtime can do, as JSON'],
  kill: ['<container-id> [signal]', 'send a signal (default: SIGTERM) to the first process of a container'],
  list: ['', 'list the containers'],
  pause: ['<container-id>', 'freeze all processes of a container'],
  ps: ['<container-id> [option of ps …]', 'list the processes of a container'],
  restore: ['<container-id>', 'not there: hull has no checkpoints'],
  resume: ['<container-id>', 'let the processes of a paused container go on'],
  run: ['<container-id>', 'create and start a container, wait for its end and delete it'],
  spec: ['', 'write a config.json to begin with'],
  start: ['<container-id>', 'let the command of a created container run'],
  state: ['<container-id>', "print a container's state, as JSON"],
  update: ['<container-id>', 'change the limits of a container'],
};

/** Of a verb, or without one of the whole command line. `called` is what that is called as. */
export function helpText(called: string, verb: string, table: OptionTable): string {
  const [words, use] = verbs[verb] ?? ['<command> [argument …]', 'Open Container Initiative runtime'];
  const isVerb = Object.hasOwn(verbs, verb);
  const name = isVerb ? `${called} ${verb}` : called;
  const shown = Object.entries(table).filter(([option]) => option !== 'called-as');
  const options = shown.map(([option, { takes, short }]) => {
    const value = takes === 'nothing' ? '' : ' value';
    const once = takes === 'list' ? ' (may be given several times)' : '';
    return `--${option}${value}${short === undefined ? '' : `, -${short}${value}`}${once}`;
  });
  const usage = `${name}${isVerb ? '' : ' [global options]'}${isVerb && options.length > 0 ? ' [options]' : ''} ${words}`;
  const sections: readonly (readonly [title: string, lines: readonly string[]])[] = [
    ['NAME', [`${name} - ${use}`]],
    ['USAGE', [usage.trimEnd()]],
    ...(isVerb
      ? []
      : [
          ['COMMANDS', Object.entries(verbs).map(([each, [, does]]) => `${each.padEnd(12)}${does}`)] as const,
        ]),
    [
      isVerb ? 'OPTIONS' : 'GLOBAL OPTIONS',
      [...options, '--help, -h'].filter((line, at, all) => all.indexOf(line) === at),
    ],
  ];
  return sections
    .map(([title, lines]) => `${title}:\n${lines.map((line) => `   ${line}\n`).join('')}`)
    .join('\n');
}
