import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, HullError } from '../../base/errors.ts';
import type { Context } from '../context.ts';
import { parseOptions } from '../options.ts';
import { defaultSpec, rootlessSpec } from '../spec-template.ts';

export async function specCommand(_: Context, args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    bundle: { takes: 'text', short: 'b' },
    rootless: { takes: 'nothing' },
  });
  const path = join(values.bundle ?? '.', 'config.json');
  const spec = values.rootless
    ? rootlessSpec(process.geteuid?.() ?? 0, process.getegid?.() ?? 0)
    : defaultSpec;
  try {
    writeFileSync(path, `${JSON.stringify(spec, undefined, '\t')}\n`, { flag: 'wx', mode: 0o666 });
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw cause;
    throw new HullError('File config.json exists. Remove it first', { kind: 'conflict', cause });
  }
  return 0;
}
