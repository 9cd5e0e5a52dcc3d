import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectSsh } from '../ssh/connect.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { sshdProgram, startTestSshd } from '../ssh/testing-sshd.ts';
import { DaemonControl } from './daemon-control.ts';
import { EngineError } from './engine.ts';
import { ping } from './ping.ts';

/** A daemon as small as one can be: answers pings, has a child that outlives it, refuses to start when told. */
const daemonProgram = `
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
const [socket] = process.argv.slice(2);
if (process.env.REFUSE) { console.error('no space left'); process.exit(1); }
rmSync(socket, { force: true });
const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
createServer((_, response) => response.end('OK')).listen(socket, () => console.log('child', child.pid));
process.on('SIGTERM', () => { child.kill(); process.exit(0); });
`;

const why = process.getuid?.() !== 0 ? 'not root' : existsSync(sshdProgram) ? undefined : `no ${sshdProgram}`;

interface Ground {
  readonly ssh: Ssh;
  readonly folder: string;
  open(driver: string): DaemonControl;
}

async function ground(): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'daemon-control-'));
  const sshd = await startTestSshd();
  const ssh = await connectSsh(sshd.address);
  const program = join(folder, 'daemon.mjs');
  await writeFile(program, daemonProgram);
  const opened: DaemonControl[] = [];
  onTestFinished(async () => {
    for (const control of opened) await control.wipe();
    await ssh[Symbol.asyncDispose]();
    await sshd[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  return {
    ssh,
    folder,
    open: (driver) => {
      const socket = join(folder, `${driver}.sock`);
      const control = new DaemonControl(
        ssh,
        {
          name: `test-${process.pid}`,
          driver,
          environment: {},
          argv: [process.execPath, program, socket],
          executable: process.execPath,
          dataRoot: join(folder, driver, 'data'),
          execRoot: join(folder, driver, 'exec'),
          socket,
          logFile: join(folder, `${driver}.log`),
          stateFolders: [],
          noise: [],
          cgroup: `test-${process.pid}-${driver}`,
          // What else this machine does, another run of these tests perhaps, is not to be stopped.
          pidFolder: join(folder, 'engines'),
          startMs: 10_000,
        },
        () => ping(socket),
      );
      opened.push(control);
      return control;
    },
  };
}

const childOf = async (control: DaemonControl) => Number(/child (\d+)/.exec(await control.log())?.[1]);
const lives = (pid: number) => existsSync(`/proc/${pid}`);

describe.skipIf(why !== undefined)(
  `a daemon in a host${why ? ` (skipped: ${why})` : ''}`,
  { timeout: 30_000 },
  () => {
    it('starts, stays the same when started again, and stops', async () => {
      const control = (await ground()).open('a');
      expect(await control.isRunning()).toBe(false);
      await control.start();
      const pid = await control.pid();
      await control.start();
      expect(await control.pid()).toBe(pid);
      await control.stop();
      await control.stop();
      expect(await control.isRunning()).toBe(false);
      await expect(control.pid()).rejects.toThrow(/Cannot tell the process id of .*: it does not run/);
    });

    it('is crashed alone: what it started lives on', async () => {
      const control = (await ground()).open('a');
      await control.start();
      const child = await childOf(control);
      onTestFinished(() => void process.kill(child));
      await control.crash({ afterMs: 50 });
      expect(await control.isRunning()).toBe(false);
      expect(lives(child)).toBe(true);
      await control.start();
      expect(await control.isRunning()).toBe(true);
      await control.stop();
    });

    it('answers the log since it was marked', async () => {
      const control = (await ground()).open('a');
      await control.start();
      await expect.poll(() => control.log()).toContain('child');
      // The follower counts bytes as they arrive.
      const sinceNow = () => {
        control.markLog();
        return control.log();
      };
      await expect.poll(sinceNow).toBe('');
      await control.restart();
      expect((await control.log()).match(/child/g)).toHaveLength(1);
      await control.stop();
    });

    it('says the last words of a daemon that does not come up', async () => {
      const control = (await ground()).open('a');
      const error: unknown = await control
        .start({ environment: { REFUSE: '1' } })
        .catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(EngineError);
      expect(String(error)).toMatch(
        /Cannot start .* with driver a: the daemon ended. Its last words: no space left/,
      );
    });

    it('ends nobody whose number a stale file has', async () => {
      const { folder, open } = await ground();
      const somebody = spawn('sleep', ['60'], { stdio: 'ignore' });
      onTestFinished(() => void somebody.kill());
      await mkdir(join(folder, 'engines'));
      await writeFile(join(folder, 'engines/test-b.pid'), `${somebody.pid} ${process.execPath}\n`);
      const control = open('a');
      await control.start();
      expect([somebody.exitCode, somebody.signalCode]).toEqual([null, null]);
      expect(await readdir(join(folder, 'engines'))).toEqual([`test-${process.pid}-a.pid`]);
      await control.stop();
    });

    it('runs for one driver at a time', async () => {
      const { open } = await ground();
      const [first, second] = [open('a'), open('b')];
      await first.start();
      await second.start();
      expect(await first.isRunning()).toBe(false);
      expect(await second.isRunning()).toBe(true);
      await second.stop();
    });

    it('does not stop what runs for somebody else', async () => {
      const [own, other] = [(await ground()).open('a'), (await ground()).open('b')];
      await own.start();
      await other.start();
      expect([await own.isRunning(), await other.isRunning()]).toEqual([true, true]);
      await own.stop();
      await other.stop();
    });

    it('is wiped with all that holds its folders', async () => {
      const { open, ssh } = await ground();
      const control = open('a');
      await control.start();
      const child = await childOf(control);
      onTestFinished(() => void (lives(child) && process.kill(child)));
      const { dataRoot, execRoot } = control;
      await mkdir(join(dataRoot, 'root'), { recursive: true });
      await mkdir(join(execRoot, 'mounted'), { recursive: true });
      const hold = 'mount -t tmpfs none "$1" && exec sleep 60';
      const holder = execa('unshare', ['-m', 'sh', '-c', hold, 'sh', join(dataRoot, 'root')], {
        reject: false,
      });
      await ssh.ok(['mount', '-t', 'tmpfs', 'none', join(execRoot, 'mounted')]);
      await expect.poll(() => readFile(`/proc/${holder.pid}/mountinfo`, 'utf8')).toContain(dataRoot);
      await control.wipe();
      await control.wipe();
      expect((await holder).signal).toBe('SIGKILL');
      expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(execRoot);
      expect([existsSync(dataRoot), existsSync(execRoot)]).toEqual([false, false]);
    });
  },
);
