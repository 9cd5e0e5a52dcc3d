import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultCacheDir } from './cache.ts';
import {
  type HostBroken,
  type HostContext,
  type HostDefinition,
  hasDiskBay,
  hasPowerSwitch,
  type RunningHost,
} from './host.ts';
import { processesLabelled, readOwners } from './owners.ts';
import { createQemuProvider } from './qemu/provider.ts';

/*
 * Boots real guests: minutes the first time, then seconds each. `vitest run --project guest harness/hosts`.
 * The cache is the user's own, so the images are those of `npm run scenarios`.
 */
const provider = createQemuProvider({ qmpMs: 2000, reconnectMs: 3000 });
const cacheDir = defaultCacheDir();
const runId = `test-${process.pid}`;
const debian11 = define('debian-11', '11', ['systemd.unified_cgroup_hierarchy=0']);
const debian13 = define('debian-13', '13', []);
let context: HostContext;

beforeAll(async () => {
  const runDir = await mkdtemp(join(tmpdir(), 'seatrial-qemu-'));
  const progress = (message: string) => console.log(message);
  context = { cacheDir, runDir, runId, signal: new AbortController().signal, progress };
  for (const definition of [debian11, debian13]) await provider.prepare(definition, context);
}, 1_200_000);

afterAll(async () => {
  await rm(context.runDir, { recursive: true, force: true });
});

describe.each([
  { definition: debian11, kernel: /^5\.10\./, cgroups: 'v1', distribution: /bullseye/ },
  { definition: debian13, kernel: /^6\.12\./, cgroups: 'v2', distribution: /trixie/ },
])('$definition.name', { timeout: 120_000 }, ({ definition, kernel, cgroups, distribution }) => {
  it('resumes with its own clock, disk and tools, and leaves nothing', async () => {
    {
      await using host = await provider.start(definition, context);
      console.log(
        host.phases.map(({ name, durationMs }) => `${name} ${Math.round(durationMs)} ms`).join(', '),
      );
      expect(host.facts).toMatchObject({ kernel: expect.stringMatching(kernel), cgroups });
      expect(host.facts.distribution).toMatch(distribution);
      expect((await host.ssh.ok(['uname', '-r'])).trim()).toBe(host.facts.kernel);
      expect(Math.abs(Number(await host.ssh.ok(['date', '+%s'])) - Date.now() / 1000)).toBeLessThan(5);
      expect(await host.ssh.ok(['/opt/seatrial/bin/node', '-p', '6*7'])).toBe('42\n');
      expect(await host.ssh.ok(['systemctl', 'list-units', '--failed', '--no-legend'])).toBe('');
      for (const module of ['overlay', 'loop', 'dm-thin-pool', 'xfs', 'nf_tables', 'veth']) {
        await host.ssh.ok(['modprobe', module]);
      }
      expect(host.phases.map(({ name }) => name)).toEqual(['overlay', 'resume', 'ssh', 'clock']);
      expect(host.broken.aborted).toBe(false);
      expect(ownProcesses()).toHaveLength(1);
    }
    await expectNothingLeft();
  });

  it('gives two clones at once different random numbers and disks', async () => {
    await using first = await provider.start(definition, context);
    await using second = await provider.start(definition, context);
    const random = ['head', '-c', '16', '/proc/sys/kernel/random/uuid'];
    expect(await first.ssh.ok(random)).not.toBe(await second.ssh.ok(random));
    await first.ssh.writeFile('/var/lib/mark', 'first');
    expect((await second.ssh.run(['cat', '/var/lib/mark'])).exitCode).toBe(1);
    expect(first.sshAddress.port).not.toBe(second.sshAddress.port);
  });

  it('takes more disks while it runs: empty ones, and copies that leave the original alone', async () => {
    await using host = await provider.start(definition, context);
    if (!hasDiskBay(host)) throw new Error('no disk bay');
    const original = join(context.runDir, 'original.raw');
    await writeFile(original, 'original'.padEnd(1 << 20, '\0'));
    const copy = await host.plugDisk({ copyOf: original });
    const empty = await host.plugDisk({ sizeBytes: 3 << 20 });
    expect([copy, empty]).toEqual(['/dev/vdb', '/dev/vdc']);
    expect(await host.ssh.ok(['blockdev', '--getsize64', copy, empty])).toBe(`${1 << 20}\n${3 << 20}\n`);
    expect(await host.ssh.ok(['head', '-c', '8', copy])).toBe('original');
    await host.ssh.ok(['sh', '-c', 'echo changed > "$1"; sync', 'write', copy]);
    expect(await readFile(original, 'utf8')).toMatch(/^original/);
  });

  it('calls a crashed kernel a panic, with the end of its console', async () => {
    await using host = await provider.start(definition, context);
    host.ssh.run(['sh', '-c', 'sleep 0.2; echo c > /proc/sysrq-trigger']).catch(() => {});
    const broken = await brokenOf(host);
    expect(broken).toMatchObject({
      what: 'panic',
      message: expect.stringContaining('sysrq triggered crash'),
    });
    expect(broken.consoleTail).toMatch(/Call Trace/);
    await expect(host.ssh.run(['true'])).rejects.toThrow(/was lost/);
  });
});

describe('a broken machine', { timeout: 240_000 }, () => {
  it('that is killed has exited', async () => {
    await using host = await provider.start(debian13, context);
    process.kill(onlyProcess(), 'SIGKILL');
    expect(await brokenOf(host)).toMatchObject({ what: 'exited', message: 'QEMU was ended by SIGKILL' });
  });

  it('whose emulator is stopped hangs', async () => {
    await using host = await provider.start(debian13, context);
    process.kill(onlyProcess(), 'SIGSTOP');
    expect(await brokenOf(host)).toMatchObject({
      what: 'hang',
      message: expect.stringContaining('did not answer'),
    });
  });

  it('whose guest lost its network hangs', async () => {
    await using host = await provider.start(debian13, context);
    const started = performance.now();
    host.ssh.run(['ip', 'link', 'set', 'eth0', 'down']).catch(() => {});
    expect(await brokenOf(host)).toMatchObject({
      what: 'hang',
      message: expect.stringContaining('Keepalive'),
    });
    expect(performance.now() - started).toBeLessThan(40_000);
  });

  it('whose SSH daemon went away, while it answers a new connection, has lost SSH', async () => {
    await using host = await provider.start(debian13, context);
    host.ssh.run(['sh', '-c', 'kill -9 $PPID']).catch(() => {});
    expect(await brokenOf(host)).toMatchObject({ what: 'ssh-lost' });
  });

  it('whose kernel cannot boot says so with its console, and leaves nothing', async () => {
    const definition = { ...debian13, kernelArgs: ['rdinit=/nowhere', 'root=/dev/nowhere'] };
    const failure: HostBroken = await provider.prepare(definition, context).catch((error) => error);
    expect(failure).toMatchObject({ name: 'HostBroken', what: 'panic' });
    expect(failure.consoleTail).toMatch(/Unable to mount root fs/);
    await expectNothingLeft();
  });

  it('that never answers fails at the boot deadline', async () => {
    const impatient = createQemuProvider({ bootMs: 5000 });
    const definition = { ...debian13, kernelArgs: ['rdinit=/bin/sleep', '--', '9999'] };
    const failure: HostBroken = await impatient.prepare(definition, context).catch((error) => error);
    expect(failure).toMatchObject({ what: 'boot', message: expect.stringContaining('within 5 s') });
    expect(failure.consoleTail).toContain('Linux version');
    await expectNothingLeft();
  });
});

describe('a harness', { timeout: 240_000 }, () => {
  it('whose power was cut boots from what was synced', async () => {
    await using host = await provider.start(debian13, context);
    await host.ssh.ok(['sh', '-c', 'echo kept > /root/kept; sync; echo lost > /root/lost']);
    if (!hasPowerSwitch(host)) throw new Error('no power switch');
    await using stopped = await host.cutPower();
    expect(ownProcesses()).toEqual([]);
    await using again = await stopped.boot();
    expect(await again.ssh.readFile('/root/kept')).toBe('kept\n');
    expect((await again.ssh.run(['test', '-s', '/root/lost'])).exitCode).toBe(1);
    expect(host.broken.aborted).toBe(false);
  });

  it('that is aborted while it starts leaves nothing', async () => {
    const abort = new AbortController();
    const starting = provider.start(debian13, { ...context, signal: abort.signal });
    await sleep(400);
    abort.abort(new Error('Ctrl-C'));
    await expect(starting).rejects.toThrow('Ctrl-C');
    await expectNothingLeft();
  });

  it('that is killed takes its guest along, and the next start removes its files', async () => {
    const shell = fileURLToPath(new URL('shell.ts', import.meta.url));
    const child = spawn(process.execPath, [shell, 'debian-13'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await outputOf(child, /^ssh -i /m);
    const record = (await readOwners(cacheDir)).find(({ harness }) => harness.pid === child.pid);
    if (!record) throw new Error('no owner record');
    expect(processesLabelled(record.label)).toHaveLength(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expect.poll(() => processesLabelled(record.label), { timeout: 5000 }).toEqual([]);
    expect(await provider.reap(context)).toEqual(expect.arrayContaining([...record.paths]));
    expect((await readOwners(cacheDir)).map(({ label }) => label)).not.toContain(record.label);
    expect(await provider.reap(context)).toEqual([]);
  });
});

function define(name: string, release: string, kernelArgs: readonly string[]): HostDefinition {
  const size = { memoryMiB: 1024, cpus: 1, diskGiB: 8 };
  return {
    name,
    provider: 'qemu',
    distribution: 'debian',
    release,
    ...size,
    kernelArgs,
    packages: [],
    engines: [],
  };
}

async function brokenOf(host: RunningHost): Promise<HostBroken> {
  if (!host.broken.aborted) await once(host.broken, 'abort');
  return host.broken.reason;
}

/** QEMU processes of this test. */
function ownProcesses(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0-name\0seatrial-${runId}-`);
      } catch {
        return false;
      }
    });
}

function onlyProcess(): number {
  const [pid, ...others] = ownProcesses();
  if (pid === undefined || others.length > 0)
    throw new Error(`found ${[pid, ...others]}, wanted one process`);
  return pid;
}

async function expectNothingLeft(): Promise<void> {
  expect(ownProcesses()).toEqual([]);
  const disks = (await readdir(context.runDir, { recursive: true })).filter((name) =>
    /qcow2|kvm-probe/.test(name),
  );
  expect(disks).toEqual([]);
  expect((await readOwners(cacheDir)).filter(({ label }) => label.includes(`-${runId}-`))).toEqual([]);
  expect((await readdir('/dev/shm')).filter((name) => name.includes(`-${runId}-`))).toEqual([]);
}

async function outputOf(child: ChildProcess, wanted: RegExp): Promise<void> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += chunk;
    if (wanted.test(text)) return;
  }
  throw new Error(`ended without ${wanted}: ${text}`);
}
