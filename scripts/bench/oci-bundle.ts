import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { World } from './world.ts';

export interface BundleOptions {
  readonly args: readonly string[];
}

/** A new bundle on the shared root file system. Every runtime gets the same: `runc spec`'s, without a terminal. */
export async function makeBundle(world: World, { args }: BundleOptions): Promise<string> {
  const root = await rootfs(world);
  const folder = await world.makeFolder('oci');
  const name = folder.slice(folder.lastIndexOf('/') + 1);
  await writeFile(join(folder, 'config.json'), JSON.stringify(config(root, args, `/${world.label}/${name}`)));
  return folder;
}

function rootfs(world: World): Promise<string> {
  return world.once('oci rootfs', async () => {
    const folder = await world.makeFolder('rootfs');
    for (const place of ['bin', 'dev', 'etc', 'proc', 'sys']) await mkdir(join(folder, place));
    await copyFile('/bin/busybox', join(folder, 'bin/busybox'));
    for (const applet of ['true', 'sleep']) await symlink('busybox', join(folder, 'bin', applet));
    return folder;
  });
}

const capabilities = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];
const quiet = ['nosuid', 'noexec', 'nodev'];

function config(root: string, args: readonly string[], cgroupsPath: string): object {
  const mount = (destination: string, type: string, source: string, options: readonly string[]) => ({
    ...{ destination, type, source, options },
  });
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/bin'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: root, readonly: true },
    hostname: 'bench',
    mounts: [
      mount('/proc', 'proc', 'proc', []),
      mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
      mount('/dev/pts', 'devpts', 'devpts', [
        ...['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      ]),
      mount('/dev/shm', 'tmpfs', 'shm', [...quiet, 'mode=1777', 'size=65536k']),
      mount('/dev/mqueue', 'mqueue', 'mqueue', quiet),
      mount('/sys', 'sysfs', 'sysfs', [...quiet, 'ro']),
    ],
    linux: {
      cgroupsPath,
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      maskedPaths: [
        '/proc/acpi',
        '/proc/kcore',
        '/proc/keys',
        '/proc/timer_list',
        '/sys/firmware',
        '/proc/scsi',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}
