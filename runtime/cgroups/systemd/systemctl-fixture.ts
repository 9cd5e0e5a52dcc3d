import { execFileSync } from 'node:child_process';

/** What `systemctl` says; throws where it fails. */
export function systemctl(...args: readonly string[]): string {
  return execFileSync('systemctl', args, { encoding: 'utf8' });
}

/** All properties of a unit, as text. */
export function properties(unit: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    systemctl('show', unit)
      .split('\n')
      .map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)]),
  );
}
