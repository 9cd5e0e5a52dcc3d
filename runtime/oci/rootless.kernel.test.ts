import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeOci } from './oci-suite.ts';
import { rootlessSpec } from './spec-template.ts';

const user = 12345;
const clone = '/proc/sys/kernel/unprivileged_userns_clone';
const denied = existsSync(clone) && readFileSync(clone, 'utf8').startsWith('0');
const title = `hull oci as a user without privileges${denied ? ` (skipped: ${clone} is 0)` : ''}`;

describeOci(title, (fixture) => {
  const asUser = (...words: readonly string[]) =>
    fixture().command('setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', ...words);

  it.skipIf(denied)('runs, executes in, kills and deletes a container, without cgroups', async () => {
    const f = fixture();
    mkdirSync(f.root, { recursive: true });
    execFileSync('chown', ['-R', `${user}:${user}`, f.dir]);
    const spec = rootlessSpec(user, user);
    await f.configure(['sleep', '100'], { spec, linux: spec.linux });
    execFileSync('chmod', ['644', join(f.dir, 'config.json')]);
    const id = f.id();
    const detached = ['sh', '-c', '"$0" "$@" </dev/null >err 2>&1', ...f.words('run', '--detach', id)];
    const { code } = await asUser(...detached);
    expect({ code, text: readFileSync(join(f.dir, 'err'), 'utf8') }).toEqual({ code: 0, text: '' });
    expect(await asUser(...f.words('exec', id, 'id'))).toEqual({
      code: 0,
      stdout: 'uid=0 gid=0\n',
      stderr: '',
    });
    expect(await asUser(...f.words('kill', id, 'KILL'))).toMatchObject({ code: 0 });
    // Without a built form, which this user may not make, a call takes half a second.
    await expect.poll(async () => (await asUser(...f.words('delete', id))).code, { timeout: 20_000 }).toBe(0);
    await f.configure(['true'], { spec, linux: { ...spec.linux, resources: { pids: { limit: 10 } } } });
    expect(await asUser(...f.words('run', id))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('linux.resources.pids'),
    });
  });
});
