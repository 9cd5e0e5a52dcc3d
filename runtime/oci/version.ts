import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf } from '../base/errors.ts';
import { libseccompVersion } from '../sys/libseccomp.ts';

/** Lines as those of runc and crun: who reads their versions (Docker, podman) reads these. The last one, as crun's, is what can be asked for. */
export function versionText(name: string): string {
  const commit = commitOf(import.meta.dirname);
  const seccomp = libseccompVersion();
  const lines = [
    `${name} version 0.1.0`,
    ...(commit === undefined ? [] : [`commit: ${commit}`]),
    'spec: 1.2.0',
    `node: ${process.version}`,
    ...(seccomp === undefined ? [] : [`libseccomp: ${seccomp}`]),
    '+SYSTEMD +APPARMOR +CAP +SECCOMP +EBPF',
  ];
  return `${lines.join('\n')}\n`;
}

/** What is checked out; undefined where this is no checkout. Changes since then do not show. */
function commitOf(folder: string): string | undefined {
  const git = join(folder, '.git');
  // Not that of a repository around us.
  const isOurs = existsSync(join(folder, 'runtime/bin/hull-oci'));
  if (!isOurs) return folder === '/' ? undefined : commitOf(dirname(folder));
  const head = tryRead(join(git, 'HEAD'));
  const [, ref] = /^ref: (.+)$/.exec(head ?? '') ?? [];
  if (ref === undefined) return head;
  const packed = tryRead(join(git, 'packed-refs')) ?? '';
  return (
    tryRead(join(git, ref)) ??
    packed
      .split('\n')
      .find((line) => line.endsWith(` ${ref}`))
      ?.split(' ')[0]
  );
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR' || codeOf(error) === 'EACCES')
      return undefined;
    throw error;
  }
}
