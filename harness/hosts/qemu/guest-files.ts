import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';

export interface GuestFile {
  /** Without the leading slash. */
  readonly path: string;
  readonly content: string | Uint8Array;
  readonly mode?: number;
}

export interface GuestLink {
  readonly path: string;
  readonly target: string;
}

/** Where a guest has the harness' own programs; Node for the engine and the leak detector. */
export const guestBin = '/opt/seatrial/bin';

/** Units that wake up on their own or slow the boot; a scenario's host is to be as still as a host can be. */
const masked = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  // Tests that want a registry start their own; the package's is open to all.
  'docker-registry.service',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty-static.service',
  'getty@tty1.service',
  'logrotate.timer',
  'man-db.timer',
  'serial-getty@ttyS0.service',
  'systemd-logind.service',
  'systemd-pstore.service',
  'systemd-timesyncd.service',
  'systemd-tmpfiles-clean.timer',
  'systemd-update-utmp.service',
];

const network = `[Unit]
Description=Address of the user-mode network
DefaultDependencies=no
After=systemd-udev-trigger.service
Before=network-pre.target ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for i in $(seq 300); do [ -e /sys/class/net/eth0 ] && break; sleep 0.1; done; \\
  ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip route add default via 10.0.2.2'
[Install]
WantedBy=multi-user.target
`;

// After a resume the clock stands where it was saved and every clone has the same random state. The ioctl is
// RNDRESEEDCRNG of random(4); kernels before 5.18 do not know the emulator's generation id.
const resume = `#!/bin/sh
date -u -s "@$1" >/dev/null
exec perl -e 'read(STDIN, my $seed, 64); open(my $f, ">", "/dev/urandom") or die; syswrite($f, $seed); ioctl($f, 0x5207, 0)'
`;

const sshd = `PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
MaxSessions 200
MaxStartups 200
`;

/** In place before the kernel is installed: an initrd with just what the emulator's disk needs. */
export function earlyFiles(): Promise<Uint8Array> {
  return tar([
    {
      path: 'etc/initramfs-tools/conf.d/seatrial',
      content: 'MODULES=list\nCOMPRESS=gzip\nRESUME=none\nFSTYPE=ext4\n',
    },
    {
      path: 'usr/share/initramfs-tools/modules.d/seatrial',
      content: 'virtio_pci\nvirtio_blk\nvirtio_net\next4\ncrc32c_generic\n',
    },
  ]);
}

export async function lateFiles(options: {
  readonly hostname: string;
  readonly publicKey: string;
  readonly nodePath: string;
}): Promise<Uint8Array> {
  const { hostname, publicKey, nodePath } = options;
  const wants = 'etc/systemd/system/multi-user.target.wants/seatrial-network.service';
  return tar(
    [
      { path: 'root/.ssh/authorized_keys', content: publicKey, mode: 0o600 },
      { path: 'etc/ssh/sshd_config.d/seatrial.conf', content: sshd },
      { path: 'etc/hostname', content: `${hostname}\n` },
      { path: 'etc/hosts', content: `127.0.0.1 localhost ${hostname}\n::1 localhost\n` },
      { path: 'etc/resolv.conf', content: 'nameserver 10.0.2.3\n' },
      { path: 'etc/fstab', content: '/dev/vda / ext4 defaults 0 0\n' },
      { path: 'etc/systemd/system/seatrial-network.service', content: network },
      {
        path: 'etc/systemd/journald.conf.d/seatrial.conf',
        content: '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n',
      },
      { path: `${guestBin.slice(1)}/resume`, content: resume, mode: 0o755 },
      { path: `${guestBin.slice(1)}/node`, content: await readFile(nodePath), mode: 0o755 },
    ],
    [
      { path: wants, target: '../seatrial-network.service' },
      ...masked.map((unit) => ({ path: `etc/systemd/system/${unit}`, target: '/dev/null' })),
    ],
  );
}

async function tar(files: readonly GuestFile[], links: readonly GuestLink[] = []): Promise<Uint8Array> {
  const archive = pack();
  const whole = buffer(archive);
  const mtime = new Date(0);
  for (const { path, content, mode = 0o644 } of files) {
    if (path.startsWith('root/.ssh/'))
      archive.entry({ name: 'root/.ssh', type: 'directory', mode: 0o700, mtime });
    archive.entry({ name: path, mode, mtime }, Buffer.from(content));
  }
  for (const { path, target } of links)
    archive.entry({ name: path, type: 'symlink', linkname: target, mtime });
  archive.finalize();
  return whole;
}
