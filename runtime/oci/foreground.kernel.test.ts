import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeOciForm } from './oci-suite.ts';

const lines = 40_000;
const all = Array.from({ length: lines }, (_, index) => `${index + 1}\r\n`).join('');

describeOciForm('a terminal in the foreground', 'stand-alone', (fixture) => {
  let id: string;

  beforeEach(async () => {
    const f = fixture();
    id = f.id();
    await f.configure(['sleep', '1000']);
    const run = `"$0" "$@" </dev/null >/dev/null 2>&1`;
    expect(await f.command('sh', '-c', run, ...f.words('run', '--detach', id))).toMatchObject({ code: 0 });
  });
  afterEach(async () => {
    await fixture().oci('delete', '--force', id);
  });

  /** Who reads the output does so only when the command has ended long since. */
  async function readLate(...words: readonly string[]): Promise<string> {
    const f = fixture();
    const late = `{ "$@"; echo $? > code; } | { sleep 1; cat; }`;
    const { stdout } = await f.command('sh', '-c', late, 'sh', ...words);
    expect(readFileSync(join(f.dir, 'code'), 'utf8')).toBe('5\n');
    return stdout;
  }

  it('all that run’s command wrote right before its end is copied', async () => {
    const f = fixture();
    await f.configure(['sh', '-c', `busybox seq ${lines}; exit 5`], { process: { terminal: true } });
    expect(await readLate(...f.words('run', f.id()))).toBe(all);
  });

  it('all that exec’s command wrote is copied, though others still have the terminal open', async () => {
    const command = `busybox seq ${lines}; sleep 1000 & exit 5`;
    expect(await readLate(...fixture().words('exec', '-t', id, 'sh', '-c', command))).toBe(all);
  });

  it('a command that closes its terminal for a while is not hung up', async () => {
    const command = 'exec 3<&- <&- >&- 2>&-; sleep 0.5; echo again > /dev/tty; exit 5';
    expect(await fixture().oci('exec', '-t', id, 'sh', '-c', command)).toMatchObject({
      code: 5,
      stdout: 'again\r\n',
    });
  });

  it('input that the command does not read holds up nothing, and comes when it reads', async () => {
    const command =
      'stty raw -echo; echo ready; sleep 1; echo later; busybox head -c 200000 | busybox md5sum';
    const [file = '', ...words] = fixture().words('exec', '-t', id, 'sh', '-c', command);
    const child = spawn(file, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    let seen = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (seen === '') child.stdin.write('0123456789'.repeat(20_000));
      seen += text;
    });
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(seen).toBe('ready\nlater\nbcc4bfca43786497d970f7d3e2fdd455  -\n');
  });
});
