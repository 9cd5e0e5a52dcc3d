import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HullError } from '../../base/errors.ts';

/** Whose systemd makes the units: that of the machine, or the one of the user's session. */
export type Manager = 'system' | 'user';

/** systemd itself gives a job 90 s, but what we ask for is done at once. */
export const patienceMs = 30_000;

/** sd_booted(3). */
export function checkBooted(): void {
  if (existsSync('/run/systemd/system')) return;
  throw new HullError(
    'Cannot make cgroups with systemd: systemd not running on this host (found no /run/systemd/system)',
    { kind: 'unsupported', hint: 'Without --systemd-cgroup hull makes them itself.' },
  );
}

/**
 * Runs `systemctl`, which comes with systemd, needs no bus daemon as root, and knows what type this version gives a property. Answers what it prints.
 * Kind `internal` with systemd's words, `not-found` where the unit is not loaded.
 */
export async function systemctl(manager: Manager, ...words: readonly string[]): Promise<string> {
  const args = [...managerOption(manager), '--no-ask-password', ...words];
  return await new Promise((resolve, reject) => {
    execFile('systemctl', args, { timeout: patienceMs, env: environment() }, (cause, stdout, stderr) => {
      if (!cause) resolve(stdout);
      else reject(systemdError(`Cannot ${words.join(' ')}`, stderr.trim() || cause.message, cause));
    });
  });
}

/** Words without colours, as the log takes them. */
export const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  LC_ALL: 'C',
  SYSTEMD_COLORS: '0',
  SYSTEMD_LOG_COLOR: '0',
});

export const managerOption = (manager: Manager): readonly string[] => (manager === 'user' ? ['--user'] : []);

export function systemdError(what: string, said: string, cause?: unknown): HullError {
  const kind = /not loaded|not be found|does not exist/.test(said) ? 'not-found' : 'internal';
  return new HullError(`${what}: systemd says: ${said}`, { kind, cause });
}

/** Afterwards the unit is not active. A transient one that systemd has forgotten by itself is not asked for. */
export async function stopUnit(manager: Manager, unit: string): Promise<void> {
  if (unit.endsWith('.scope') && !existsSync(join(runFolder(manager), 'transient', unit))) return;
  try {
    await systemctl(manager, 'stop', unit);
  } catch (error) {
    if (!(error instanceof HullError && error.kind === 'not-found')) throw error;
  }
}

/** systemd.unit(5): where the files of units are that are there until the next boot. */
const runFolder = (manager: Manager): string =>
  manager === 'system' ? '/run/systemd' : join(process.env.XDG_RUNTIME_DIR ?? '/run', 'systemd');

/** Of all units: empty for the machine's, that of `user@1000.service` for a user's. */
export async function managerPath(manager: Manager): Promise<string> {
  if (manager === 'system') return '';
  return (await systemctl(manager, 'show', '--property=ControlGroup', '--value')).trim().replace(/^\//, '');
}
