import { HullError } from '../base/errors.ts';

export interface OptionKind {
  readonly takes: 'nothing' | 'text' | 'list';
  readonly short?: string;
}

export type OptionTable = Readonly<Record<string, OptionKind>>;

type Value<Kind extends OptionKind> = Kind['takes'] extends 'nothing'
  ? boolean
  : Kind['takes'] extends 'text'
    ? string | undefined
    : readonly string[];

export interface ParsedOptions<Table extends OptionTable> {
  readonly values: { readonly [Name in keyof Table]: Value<Table[Name]> };
  readonly rest: readonly string[];
}

/** `--help` or `-h`, where it is no option of its own. */
export class HelpWanted extends Error {
  override readonly name = 'HelpWanted';
  readonly table: OptionTable;

  constructor(table: OptionTable) {
    super('help is wanted');
    this.table = table;
  }
}

/**
 * Options as runc and crun take them: `--name value`, `--name=value`, `-name`, `-n value`, `--flag=false`. With `stopAtWord` the first
 * word ends the options (what follows is a command of its own); `--` always does. A library would load longer than this takes.
 */
export function parseOptions<const Table extends OptionTable>(
  args: readonly string[],
  table: Table,
  { stopAtWord = false }: { readonly stopAtWord?: boolean } = {},
): ParsedOptions<Table> {
  const values: Record<string, boolean | string | string[] | undefined> = {};
  for (const [name, { takes }] of Object.entries(table))
    values[name] = takes === 'nothing' ? false : takes === 'list' ? [] : undefined;
  const rest: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? '';
    if (word === '--') return done(args.slice(index + 1));
    if (!word.startsWith('-') || word === '-') {
      if (stopAtWord) return done(args.slice(index));
      rest.push(word);
      continue;
    }
    const [given = '', ...after] = word.replace(/^--?/, '').split('=');
    const inline = after.length > 0 ? after.join('=') : undefined;
    const cluster = expandCluster(word, table);
    if (cluster) {
      for (const name of cluster) values[name] = true;
      continue;
    }
    const name = findName(given, table);
    if (name === undefined && (given === 'help' || given === 'h')) throw new HelpWanted(table);
    const kind = table[name ?? ''];
    if (name === undefined || kind === undefined)
      throw new HullError(`Cannot read the command line: found unknown option ${JSON.stringify(word)}`, {
        kind: 'invalid',
      });
    if (kind.takes === 'nothing') {
      values[name] = inline === undefined || inline === 'true' || inline === '1';
      continue;
    }
    if (inline === undefined) index += 1;
    const value = inline ?? args[index];
    if (value === undefined)
      throw new HullError(`Cannot read the command line: found ${word} at its end, wanted a value after it`, {
        kind: 'invalid',
      });
    if (kind.takes === 'list') values[name] = [...(values[name] as string[]), value];
    else values[name] = value;
  }
  return done([]);

  function done(more: readonly string[]): ParsedOptions<Table> {
    return { values: values as ParsedOptions<Table>['values'], rest: [...rest, ...more] };
  }
}

function findName(given: string, table: OptionTable): string | undefined {
  if (Object.hasOwn(table, given)) return given;
  return Object.entries(table).find(([, { short }]) => short === given)?.[0];
}

/** `-it` is `-i -t`. */
function expandCluster(word: string, table: OptionTable): readonly string[] | undefined {
  if (!/^-[a-zA-Z]{2,}$/.test(word) || findName(word.slice(1), table) !== undefined) return undefined;
  const names = [...word.slice(1)].map((letter) => findName(letter, table));
  const flags = names.filter((name) => name !== undefined && table[name]?.takes === 'nothing');
  return flags.length === names.length ? flags.filter((name) => name !== undefined) : undefined;
}
