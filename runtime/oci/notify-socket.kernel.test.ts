import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bindDatagram, receiveDatagram, sendDatagrams } from '../sys/unix-datagram.ts';
import { describeOci } from './oci-suite.ts';

describeOci('NOTIFY_SOCKET', (fixture) => {
  let manager: number;
  let path: string;
  let id: string;

  beforeEach(async () => {
    id = fixture().id();
    path = join(fixture().dir, `manager-${id}`);
    manager = bindDatagram(path);
    const command = `test -S "$NOTIFY_SOCKET" && echo "$NOTIFY_SOCKET" > seen; sleep 1000`;
    await fixture().configure(['sh', '-c', command], { process: { cwd: '/' } });
  });
  afterEach(async () => {
    closeSync(manager);
    await fixture().oci('delete', '--force', id);
  });

  const withManager = (...args: readonly string[]) => [
    'env',
    `NOTIFY_SOCKET=${path}`,
    ...fixture().words(...args),
  ];
  const start = (...args: readonly string[]) => {
    const [file = '', ...words] = withManager(...args);
    return spawn(file, words, { cwd: fixture().dir, stdio: 'ignore' });
  };
  const inState = (...names: readonly string[]) => join(fixture().root, id, ...names);

  /** The container's part is played from outside: busybox cannot send datagrams to a path. */
  async function becomeReady(): Promise<void> {
    const seen = join(fixture().dir, 'rootfs/seen');
    while (!existsSync(seen) || readFileSync(seen, 'utf8') !== `${path}/notify\n`) await sleep(20);
    sendDatagrams(inState('notify/notify'), ['STATUS=nearly', 'STATUS=now\nREADY=1']);
  }

  async function told(): Promise<readonly string[]> {
    const messages: string[] = [];
    while (messages.length < 2) {
      const message = receiveDatagram(manager);
      if (message) messages.push(message.toString());
      else await sleep(20);
    }
    return messages;
  }

  it('start waits for READY=1 and tells the manager', async () => {
    expect(await once(start('create', id), 'exit')).toEqual([0, null]);
    const child = start('start', id);
    await becomeReady();
    expect(await once(child, 'exit')).toEqual([0, null]);
    const { init_process_pid: pid } = JSON.parse(readFileSync(inState('state.json'), 'utf8'));
    expect(await told()).toEqual(['READY=1', `MAINPID=${pid}`]);
  });

  it('run tells it as well, and stands for the container', async () => {
    const child = start('run', id);
    await becomeReady();
    expect(await told()).toEqual(['READY=1', `MAINPID=${child.pid}`]);
    const ended = once(child, 'exit');
    await fixture().oci('kill', id, 'KILL');
    expect(await ended).toEqual([137, null]);
  });

  it('a command that ends without a word holds up nothing', async () => {
    await fixture().configure(['true']);
    const [file, ...words] = withManager('run', id);
    expect(await fixture().command(file, ...words)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(receiveDatagram(manager)).toBe(undefined);
  });
});
