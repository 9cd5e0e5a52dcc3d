import { execFile } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createExecutableMemfd, sealMemfd, spawnProcess, tryWait } from '../sys/process.ts';
import { holdMounts } from './hold-mounts.ts';
import { LaunchError } from './launch-error.ts';
import { LaunchFixture, namespacesShowing, readProc, titleSuffix, whyNoLaunches } from './test-fixture.ts';

const bind = (source: string, ...options: string[]) => [{ type: 'bind', source, target: '', options }];

describe.skipIf(whyNoLaunches !== undefined)(`holdMounts${titleSuffix}`, () => {
  it('shows the tree while held, to nobody else, and nothing afterwards', async () => {
    await using fixture = await LaunchFixture.create();
    const before = readProc('self', 'mountinfo');
    const held = await holdMounts(fixture.request([]).rootMounts, { lockPath: join(fixture.dir, 'lock') });
    await writeFile(join(held.path, 'new'), 'x');
    expect(await readdir(held.path)).toEqual(['bin', 'etc', 'new']);
    expect(await readdir(join(fixture.dir, 'upper'))).toEqual(['new']);
    expect(readProc('self', 'mountinfo')).toBe(before);
    const again = holdMounts(fixture.request([]).rootMounts, { lockPath: join(fixture.dir, 'lock') });
    await expect(again).rejects.toMatchObject({ code: 'EAGAIN', step: { syscall: 'flock' } });
    await held[Symbol.asyncDispose]();
    await held[Symbol.asyncDispose]();
    expect(existsSync(`/proc/${held.pid}`)).toBe(false);
    expect(namespacesShowing(fixture.dir)).toEqual([]);
    await using next = await holdMounts(fixture.request([]).rootMounts, {
      lockPath: join(fixture.dir, 'lock'),
    });
    expect(await readdir(next.path)).toContain('new');
  });

  it('names the step that failed, and leaks no descriptor', async () => {
    await using fixture = await LaunchFixture.create();
    await holdMounts(bind(join(fixture.dir, 'absent'))).catch(() => undefined);
    const before = (await readdir('/proc/self/fd')).length;
    const error = await holdMounts(bind(join(fixture.dir, 'absent'))).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(LaunchError);
    expect(String(error)).toMatch(
      new RegExp(`^LaunchError: Cannot mount "${fixture.dir}/absent" at "/": ENOENT, step \\d+ of \\d+$`),
    );
    expect((await readdir('/proc/self/fd')).length).toBe(before);
  });

  it('starts from a nameless file where executable memory files are forbidden', async (context) => {
    await using fixture = await LaunchFixture.create();
    if (!existsSync('/proc/sys/vm/memfd_noexec')) context.skip('vm.memfd_noexec is there since Linux 6.3');
    const module = new URL('./hold-mounts.ts', import.meta.url).href;
    // The setting is one of the pid namespace: in one of its own it does not touch the host.
    const code = `import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
      import { holdMounts } from ${JSON.stringify(module)};
      writeFileSync('/proc/sys/vm/memfd_noexec', '2');
      await using held = await holdMounts(${JSON.stringify(bind(join(fixture.dir, 'root')))});
      console.log(readdirSync(held.path).join(), readlinkSync('/proc/' + held.pid + '/exe'));`;
    const { stdout } = await promisify(execFile)('unshare', [
      ...['--pid', '--fork', '--mount-proc', '--kill-child'],
      ...[process.execPath, '--input-type=module', '-e', code],
    ]);
    expect(stdout).toMatch(/^bin,etc \/(var\/tmp|tmp|dev\/shm)\/#\d+ \(deleted\)$/m);
  });
});

describe('spawnProcess', () => {
  it('starts a child in a session of its own, and its status is ours to take, once', async () => {
    const pid = spawnProcess({ path: '/bin/sh', argv: ['sh', '-c', 'exit 9'], descriptors: new Map() });
    let status = tryWait(pid);
    while (status === 'running') {
      await new Promise((resolve) => setTimeout(resolve, 2));
      status = tryWait(pid);
    }
    expect(status).toEqual({ exitCode: 9 });
    expect(tryWait(pid)).toBe('not-a-child');
  });

  it('does not take the status of Node’s own children, nor lose its own to Node', async () => {
    const pid = spawnProcess({
      path: '/bin/sh',
      argv: ['sh', '-c', 'sleep 0.05; exit 3'],
      descriptors: new Map(),
    });
    const theirs = promisify(execFile)('/bin/sh', ['-c', 'exit 4']).catch(
      (error: { code: number }) => error.code,
    );
    expect(await theirs).toBe(4);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(tryWait(pid)).toEqual({ exitCode: 3 });
  });

  it('says what is not there', () => {
    expect(() => spawnProcess({ path: '/nonexistent', argv: ['x'], descriptors: new Map() })).toThrow(
      'Cannot posix_spawn "/nonexistent": ENOENT (no such file or directory)',
    );
  });

  it('a sealed memfd cannot be written to any more', async (context) => {
    const fd = createExecutableMemfd('test');
    if (fd === undefined) return context.skip('vm.memfd_noexec forbids executable memory files');
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toContain('memfd:test');
    await writeFile(`/proc/self/fd/${fd}`, 'content');
    sealMemfd(fd);
    await expect(writeFile(`/proc/self/fd/${fd}`, 'other', { flag: 'r+' })).rejects.toMatchObject({
      code: 'EPERM',
    });
  });
});
