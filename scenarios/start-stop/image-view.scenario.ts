import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { runToEnd, shell } from '../support/containers.ts';

/**
 * ST, IM: a container sees its image's layers as one tree: later layers win, whiteouts and opaque folders hide, hard links
 * are links. The test image says what is in it (harness/images/test-image.ts).
 */
scenario('a container sees the layers of its image as one tree', { dependsOnDriver: true }, async (t) => {
  const script = `
    cat /etc/motd
    ls /etc/obsolete 2>&1
    ls /var/cargo
    stat -c '%h %a %U' /etc/twin-a
    test /etc/twin-a -ef /etc/twin-b && echo twins
    readlink /bin/sleep
    stat -c '%a %U' /tmp /root /home/sailor
    id -un; touch /home/sailor/mine && stat -c %U /home/sailor/mine
    touch /etc/not-mine 2>&1`;
  const { stdout } = await runToEnd(t, { command: shell(script), user: 'sailor' });
  expect(stdout.trim().split('\n')).toEqual([
    'The third layer.',
    expect.stringContaining('No such file'),
    'new',
    '2 644 root',
    'twins',
    'busybox',
    '1777 root',
    '700 root',
    '750 sailor',
    'sailor',
    'sailor',
    expect.stringContaining('Permission denied'),
  ]);
});

/** ST: what one container writes is seen by no other, at the same time or later. */
scenario('containers of one image do not see each other', { dependsOnDriver: true }, async (t) => {
  const change = shell('echo mine >/etc/motd; rm /etc/twin-a; mkdir /new; cat /etc/motd');
  const look = shell('cat /etc/motd; cat /etc/twin-a; ls -d /new');
  const changed = await runToEnd(t, { command: change });
  expect(changed.stdout).toBe('mine\n');
  const other = await runToEnd(t, { command: look });
  expect(other.stdout).toBe('The third layer.\nOne file with two names.\n');
  expect(other.stderr).toContain('No such file');
});
