import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Spec } from '../base/oci.ts';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import { properties, systemctl } from '../cgroups/systemd/systemctl-fixture.ts';
import type { OciFixture } from './oci-fixture.ts';
import { describeOciForm } from './oci-suite.ts';
import { defaultSpec } from './spec-template.ts';

const booted = existsSync('/run/systemd/system');
const MiB = 1024 * 1024;
const slice = 'hulltest-oci.slice';

describeOciForm('hull oci --systemd-cgroup', 'stand-alone', (fixture) => {
  let f: OciFixture;
  beforeEach(() => {
    f = fixture();
  });
  const oci = async (...args: readonly string[]) => await f.oci('--systemd-cgroup', ...args);
  const run = async (id: string) => await f.detached('--systemd-cgroup', 'run', '--detach', id);
  /** @param id which the scope is called by, where it is not `linux` that says another name. */
  const configure = async (
    args: readonly string[],
    id: string,
    linux: Partial<Spec['linux']> = {},
    annotations = {},
  ) =>
    await f.configure(args, {
      linux: { cgroupsPath: `${slice}:hull:${id}`, ...linux },
      spec: { annotations },
    });
  const unitOf = (id: string) => `hull-${id}.scope`;

  it.skipIf(booted)(
    `is refused where systemd does not run${booted ? ' (skipped: it runs)' : ''}`,
    async () => {
      await configure(['true'], 'none');
      expect(await oci('run', f.id())).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('systemd not running on this host'),
      });
    },
  );

  it('a path of the other kind is refused both ways', async () => {
    await configure(['true'], 'none');
    expect((await f.oci('run', f.id())).stderr).toContain('--systemd-cgroup');
    expect((await f.oci('--cgroup-manager', 'other', 'list')).stderr).toContain('"other": wanted cgroupfs');
  });

  describe.skipIf(!booted)(booted ? 'with systemd' : 'with systemd (skipped: it does not run)', () => {
    afterAll(() => {
      // systemd keeps slices that were needed once.
      for (const name of [slice, 'hulltest.slice']) systemctl('stop', name);
    });

    it('a container is a scope that knows its limits, also after they change and systemd has read its configuration again', async () => {
      const id = f.id();
      const resources = {
        memory: { limit: 64 * MiB },
        cpu: { quota: 33_333, period: 200_000, shares: 512 },
        pids: { limit: 20 },
      };
      const annotations = { 'org.systemd.property.TimeoutStopUSec': 'uint64 7000000' };
      await configure(['sleep', '1000'], id, { resources }, annotations);
      expect(await run(id)).toMatchObject({ code: 0, stderr: '' });
      const { stdout } = await f.oci('state', id);
      expect(JSON.parse(stdout)).toMatchObject({ 'systemd-scope': unitOf(id) });
      const pid = String((JSON.parse(stdout) as { readonly pid: number }).pid);
      const path = `/hulltest.slice/${slice}/${unitOf(id)}`;
      const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
      expect(groups.filter((line) => !line.endsWith(`:${path}`))).toEqual([]);
      expect(await limits(path)).toEqual({ memory: 64 * MiB, quota: '33333 200000', pids: 20 });
      expect(properties(unitOf(id))).toMatchObject({
        Delegate: 'yes',
        Slice: slice,
        TimeoutStopUSec: '7s',
        TasksMax: '20',
        CPUQuotaPerSecUSec: '170ms',
      });

      const update = ['--memory', String(96 * MiB), '--cpu-quota', '50000', '--pids-limit', '30'];
      expect(await oci('update', ...update, id)).toMatchObject({ code: 0, stderr: '' });
      systemctl('daemon-reload');
      expect(properties(unitOf(id))).toMatchObject({ TasksMax: '30', CPUQuotaPerSecUSec: '250ms' });
      expect(await limits(path)).toEqual({ memory: 96 * MiB, quota: '50000 200000', pids: 30 });
      // systemd makes 17% of it, and the file keeps what was asked for.
      expect(await oci('update', '--cpu-period', '300000', id)).toMatchObject({ code: 0, stderr: '' });
      expect(await limits(path)).toMatchObject({ quota: '50000 300000' });
      expect(await oci('update', '--cpu-quota', '-1', id)).toMatchObject({ code: 0, stderr: '' });
      expect(await limits(path)).toMatchObject({ quota: expect.stringMatching(/^(max|-1) 300000$/) });

      // The first process alone: what kept the scope for it has gone.
      expect((await oci('ps', '--format', 'json', id)).stdout.trim()).toBe(`[${pid}]`);
      expect((await oci('exec', id, 'cat', '/proc/self/cgroup')).code).toBe(0);
      expect(await oci('pause', id)).toMatchObject({ code: 0 });
      expect(await f.status(id)).toBe('paused');
      expect(await oci('delete', '--force', id)).toMatchObject({ code: 0, stderr: '' });
      expect(await folders(path)).toEqual([]);
      expect(properties(unitOf(id)).LoadState).toBe('not-found');
    });

    it('a limit of one process is for the container', async () => {
      const id = f.id();
      await configure(['true'], id, { resources: { pids: { limit: 1 } } });
      expect(await oci('run', id)).toEqual({ code: 0, stdout: '', stderr: '' });
      // The same name at once, while systemd may still be forgetting it.
      expect(await oci('run', id)).toEqual({ code: 0, stdout: '', stderr: '' });
    });

    it('what cannot be made leaves nothing, and a scope of somebody else stays', async () => {
      const id = f.id();
      await configure(['/none'], id);
      expect((await oci('run', id)).stderr).toContain('/none');
      expect(properties(unitOf(id)).LoadState).toBe('not-found');

      const other = f.id();
      await configure(['sleep', '1000'], id);
      expect(await run(id)).toMatchObject({ code: 0 });
      const { code, stderr } = await oci('run', other);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`unit ${unitOf(id)}`) });
      expect(await f.status(id)).toBe('running');
      expect(await oci('delete', '--force', id)).toMatchObject({ code: 0 });

      const annotations = { 'org.systemd.property.NoSuchThing': 'true' };
      await configure(['true'], id, {}, annotations);
      expect((await oci('run', id)).stderr).toContain('NoSuchThing');
    });

    it('a name that ends in .slice is a slice', async () => {
      const id = f.id();
      const path = `/hulltest.slice/${slice}/hulltest-oci-own.slice`;
      const resources = { pids: { limit: 20 } };
      await configure(['sleep', '1000'], id, { cgroupsPath: '::hulltest-oci-own.slice', resources });
      expect(await run(id)).toMatchObject({ code: 0, stderr: '' });
      expect(await limits(path)).toMatchObject({ pids: 20 });
      expect(properties('hulltest-oci-own.slice')).toMatchObject({ ActiveState: 'active', TasksMax: '20' });
      expect(await oci('delete', '--force', id)).toMatchObject({ code: 0, stderr: '' });
      expect(await folders(path)).toEqual([]);
      expect(properties('hulltest-oci-own.slice')).toMatchObject({ ActiveState: 'inactive' });
    });
  });
});

// The resident leaves it to the program of the caller's own.
describeOciForm('hull oci --systemd-cgroup', 'warm', (fixture) => {
  it.skipIf(!booted)(`runs in a scope${booted ? '' : ' (skipped: systemd does not run)'}`, async () => {
    const f = fixture();
    const id = f.id();
    // With one of its own it would see no more than a slash.
    const namespaces = defaultSpec.linux.namespaces.filter(({ type }) => type !== 'cgroup');
    await f.configure(['cat', '/proc/self/cgroup'], { linux: { namespaces } });
    const { code, stdout, stderr } = await f.oci('--systemd-cgroup', 'run', id);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining(`:/system.slice/hull-${id}.scope\n`),
    });
    expect(f.left()).toEqual([]);
  });
});

/** Of the group at this path, those hierarchies that have it. */
async function folders(path: string): Promise<readonly string[]> {
  return (await findHierarchies()).map(({ root }) => join(root, path)).filter((folder) => existsSync(folder));
}

/** As the files have them, whichever version has the controller. */
async function limits(path: string): Promise<object> {
  const found = await folders(path);
  const read = (...files: readonly string[]) =>
    found
      .flatMap((folder) => files.map((file) => join(folder, file)))
      .filter((file) => existsSync(file))
      .map((file) => readFileSync(file, 'utf8').trim())
      .join(' ');
  return {
    memory: Number(read('memory.max', 'memory.limit_in_bytes')),
    quota: read('cpu.max', 'cpu.cfs_quota_us', 'cpu.cfs_period_us'),
    pids: Number(read('pids.max')),
  };
}
