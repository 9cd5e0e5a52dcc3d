import { readFlags } from '../dockerfile/flags.ts';
import { DockerfileProblem } from '../dockerfile/problem.ts';
import { readCommand } from '../dockerfile/word-lists.ts';
import type { Healthcheck } from '../run-config.ts';
import { goDuration, parseGoDuration } from './go-duration.ts';
import { goList } from './go-quote.ts';
import type { InstructionType } from './instruction.ts';

const durations = ['interval', 'timeout', 'start-period', 'start-interval'] as const;

/** `HEALTHCHECK [--interval= --timeout= --start-period= --start-interval= --retries=] CMD command`, or `HEALTHCHECK NONE`. */
export const healthcheck: InstructionType<Healthcheck> = {
  read({ name, rest, flags }) {
    const [, word = '', command = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
    const kind = word.toUpperCase();
    if (kind === '') throw new DockerfileProblem('HEALTHCHECK requires at least one argument');
    if (kind === 'NONE') {
      readFlags(name, flags, []);
      if (command !== '') throw new DockerfileProblem('HEALTHCHECK NONE takes no arguments');
      return { Test: ['NONE'] };
    }
    if (kind !== 'CMD') throw new DockerfileProblem(`Unknown type "${kind}" in HEALTHCHECK (try CMD)`);
    const given = readFlags(name, flags, [...durations, 'retries']);
    const { words, isShell } = readCommand(command);
    if (words.length === 0) throw new DockerfileProblem('Missing command after HEALTHCHECK CMD');
    const [interval, timeout, startPeriod, startInterval] = durations.map((flag) =>
      readDuration(flag, given[flag]),
    );
    const retries = readRetries(given.retries);
    return {
      Test: [isShell ? 'CMD-SHELL' : 'CMD', ...words],
      ...(interval && { Interval: interval }),
      ...(timeout && { Timeout: timeout }),
      ...(startPeriod && { StartPeriod: startPeriod }),
      ...(startInterval && { StartInterval: startInterval }),
      ...(retries && { Retries: retries }),
    };
  },
  async perform(stage, check) {
    const before = stage.config.Healthcheck?.Test ?? [];
    if (before.length > 0 && before[0] !== 'NONE') {
      stage.say(`Note: overriding previous HEALTHCHECK: [${before.join(' ')}]\n`);
    }
    // As in Docker: times that are not given stay those of the check before.
    stage.config.Healthcheck = { ...stage.config.Healthcheck, ...check };
    const { Test = [], Interval = 0, Timeout = 0, StartPeriod = 0, StartInterval, Retries = 0 } = check;
    // Docker 20.10, whose history this is, has no interval at the start.
    const all = [Interval, Timeout, StartPeriod, ...(StartInterval ? [StartInterval] : [])];
    const times = all.map((time) => `"${goDuration(time)}"`);
    await stage.commit(`HEALTHCHECK &{${[goList(Test), ...times, goRune(Retries)].join(' ')}}`);
  },
};

/** Nanoseconds; 0 where it is not given. */
function readDuration(flag: string, text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const time = parseGoDuration(text);
  if (time === undefined) {
    throw new DockerfileProblem(
      `time: invalid duration ${JSON.stringify(text)} in --${flag}: wanted as 1m30s or 500ms`,
    );
  }
  if (time === 0) return 0;
  if (time < 1_000_000) throw new DockerfileProblem(`Interval "${flag}" cannot be less than 1ms`);
  return time;
}

function readRetries(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const count = Number(text);
  if (!/^-?\d+$/.test(text) || count > 0x7fff_ffff) {
    throw new DockerfileProblem(`--retries: found ${JSON.stringify(text)}, wanted a whole number`);
  }
  if (count < 1) throw new DockerfileProblem(`--retries must be at least 1 (not ${count})`);
  return count;
}

/** How Go's `%q` prints a small number: as the character of that number. */
function goRune(code: number): string {
  if (code >= 0x20 && code < 0x7f)
    return `'${code === 0x27 || code === 0x5c ? '\\' : ''}${String.fromCharCode(code)}'`;
  const named: Readonly<Record<number, string>> = {
    7: 'a',
    8: 'b',
    9: 't',
    10: 'n',
    11: 'v',
    12: 'f',
    13: 'r',
  };
  const name = named[code];
  if (name !== undefined) return `'\\${name}'`;
  return code < 0x80
    ? `'\\x${code.toString(16).padStart(2, '0')}'`
    : `'${String.fromCodePoint(Math.min(code, 0x10ffff))}'`;
}
