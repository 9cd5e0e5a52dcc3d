import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import type { HostDefinition } from '../hosts/host.ts';
import { didYouMean } from './did-you-mean.ts';
import { HostsFile, knownFields, wantedValues } from './hosts-schema.ts';

/** All that is wrong with hosts.yaml, one line each: `hosts.yaml:7:16: hosts.debian-11.memoryMiB: found "lots", wanted …`. */
export class HostsFileError extends Error {
  override readonly name = 'HostsFileError';
  readonly problems: readonly string[];

  constructor(file: string, problems: readonly string[]) {
    super(`Cannot use ${file}:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Reads and validates hosts.yaml. Throws HostsFileError with every problem at once, or the file system's error. */
export async function loadHosts(path: string): Promise<readonly HostDefinition[]> {
  return parseHosts(await readFile(path, 'utf8'), path);
}

/** The pure part of loadHosts; `file` is what errors name and what paths in it start from. */
export function parseHosts(text: string, file: string): readonly HostDefinition[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ pos, message }) => `${place(pos[0])}: ${message}`);
    throw new HostsFileError(file, problems);
  }
  const parsed = HostsFile.safeParse(document.toJS() ?? {}, { reportInput: true });
  if (!parsed.success) {
    const problems = parsed.error.issues
      .flatMap(describe)
      .map(({ path, key, text }) => ({ offset: offsetOf(document, path, key), text }))
      .sort((a, b) => a.offset - b.offset)
      .map(({ offset, text }) => `${place(offset)}: ${text}`);
    throw new HostsFileError(file, problems);
  }
  const hosts = Object.entries(parsed.data.hosts).map(([name, { kernel, ...host }]) => ({
    name,
    ...host,
    ...(kernel === undefined ? {} : { kernel: resolve(dirname(file), kernel) }),
  }));
  if (hosts.length === 0)
    throw new HostsFileError(file, [`${place(0)}: hosts: found {}, wanted at least one host`]);
  return hosts;
}

/** Where the value at `path` (or the key itself below it) stands in the text; the nearest thing around it where it is absent. */
function offsetOf(document: Document, path: readonly PropertyKey[], key: string | undefined): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const step of key === undefined ? path : [...path, key]) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isNode(node)) offset = node.range?.[0] ?? offset;
    } else if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) return offset;
      node = pair.value;
      const shown = step === key || !isNode(pair.value) ? pair.key : pair.value;
      if (isNode(shown)) offset = shown.range?.[0] ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

interface Problem {
  readonly path: readonly PropertyKey[];
  /** The unknown key itself, where that is what is wrong. */
  readonly key: string | undefined;
  readonly text: string;
}

function describe(issue: z.core.$ZodIssue): readonly Problem[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(path);
    return issue.keys.map((key) => ({
      path,
      key,
      text: `${field([...path, key])}: unknown field, wanted one of ${known.join(', ')}.${didYouMean(key, known)}`,
    }));
  }
  const last = path.filter((step) => typeof step === 'string').at(-1) ?? 'hosts';
  const wanted = wantedValues[path.length === 2 ? 'host' : last] ?? issue.message;
  const found = issue.input === undefined ? 'nothing' : JSON.stringify(issue.input);
  const values = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  const wish = values.length > 0 ? values.map((value) => JSON.stringify(value)).join(' or ') : wanted;
  const hint = typeof issue.input === 'string' ? didYouMean(issue.input, values) : '';
  return [{ path, key: undefined, text: `${field(path)}: found ${found}, wanted ${wish}.${hint}` }];
}

function fieldsAt(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return knownFields.file;
  if (path.length === 2) return knownFields.host;
  return path.includes('drivers') ? knownFields.driver : knownFields.engine;
}

/** `hosts.debian-11.engines[0].name` */
function field(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'hosts.yaml';
  return path
    .map((step, index) =>
      typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step)}`,
    )
    .join('');
}
