import { type FileHandle, open } from 'node:fs/promises';
import { codeOf } from '../base/errors.ts';
import { ioctl } from '../sys/ioctl.ts';
import { type QuotaFileSystem, quotactl } from '../sys/quotactl.ts';
import { coveringMount, readMountInfo } from './mountinfo.ts';
import type { ProbeAnswer } from './probe.ts';

// <linux/fs.h>: `struct fsxattr`, 28 bytes.
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const inheritProject = 0x200;
const projectOffset = 12;

// <linux/dqblk_xfs.h>, shifted for quotactl(2), type PRJQUOTA.
const projectType = 2;
const Q_XGETQUOTA = (0x5803 << 8) | projectType;
const Q_XSETQLIM = (0x5804 << 8) | projectType;
const Q_XGETQSTAT = (0x5805 << 8) | projectType;
/** `struct fs_disk_quota`; limits are in blocks of 512 bytes. */
const quotaSize = 112;
const blockLimits = 0x4 | 0x8;
const sector = 512;
const projectEnforced = 1 << 5;

/** Whether the file system that `folder` is on limits folders by project (xfs or ext4, mounted with prjquota). */
export async function probeProjectQuota(folder: string): Promise<ProbeAnswer> {
  const { type = 'an unknown file system', mountPoint = '/' } =
    coveringMount(readMountInfo('self'), folder) ?? {};
  const missing = `project quotas on ${type} at ${JSON.stringify(mountPoint)}: wanted xfs or ext4 mounted with prjquota`;
  try {
    await using file = await openFileSystem(folder);
    const state = Buffer.alloc(256);
    quotactl(file.system, Q_XGETQSTAT, 0, state, 'ask for the state of quotas');
    return (state.readUInt16LE(2) & projectEnforced) !== 0
      ? { answer: 'supported' }
      : { answer: 'unsupported', missing };
  } catch (error) {
    if (
      ['ENOSYS', 'ESRCH', 'ENOTSUP', 'EINVAL', 'ENOTBLK', 'ENODEV', 'ENOENT'].includes(codeOf(error) ?? '')
    ) {
      return { answer: 'unsupported', missing };
    }
    return { answer: 'unknown', reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Afterwards everything that will be made in the (empty) folder takes at most so many bytes together; more is ENOSPC on xfs
 * and EDQUOT on ext4. The project number is the first from `wanted` on that nobody uses.
 */
export async function limitFolder(folder: string, wanted: number, bytes: number): Promise<void> {
  await using file = await openFileSystem(folder);
  let project = wanted;
  while (isUsed(file.system, project)) project = (project % lastProject) + 1;
  setLimit(file.system, project, bytes);
  const attributes = readAttributes(file.handle);
  attributes.writeUInt32LE((attributes.readUInt32LE(0) | inheritProject) >>> 0, 0);
  attributes.writeUInt32LE(project, projectOffset);
  ioctl(file.handle.fd, FS_IOC_FSSETXATTR, attributes, { op: `make project ${project}`, path: folder });
}

/** Afterwards the folder's project has no limit any more, and its number is free when its files are gone. */
export async function forgetLimit(folder: string): Promise<void> {
  await using file = await openFileSystem(folder);
  const project = readAttributes(file.handle).readUInt32LE(projectOffset);
  if (project !== 0) setLimit(file.system, project, 0);
}

export const lastProject = 2 ** 31 - 1;

function isUsed(system: QuotaFileSystem, project: number): boolean {
  const quota = Buffer.alloc(quotaSize);
  try {
    quotactl(system, Q_XGETQUOTA, project, quota, `ask for the quota of project ${project}`);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return false;
    throw error;
  }
  // Hard limit, soft limit, used blocks, used inodes.
  return [8, 16, 40, 48].some((offset) => quota.readBigUInt64LE(offset) !== 0n);
}

function setLimit(system: QuotaFileSystem, project: number, bytes: number): void {
  const quota = Buffer.alloc(quotaSize);
  quota.writeInt8(1, 0);
  quota.writeInt8(projectType, 1);
  quota.writeUInt16LE(blockLimits, 2);
  quota.writeUInt32LE(project, 4);
  const blocks = BigInt(Math.floor(bytes / sector));
  quota.writeBigUInt64LE(blocks, 8);
  quota.writeBigUInt64LE(blocks, 16);
  quotactl(system, Q_XSETQLIM, project, quota, `limit project ${project} to ${bytes} bytes`);
}

function readAttributes(handle: FileHandle): Buffer {
  const attributes = Buffer.alloc(28);
  ioctl(handle.fd, FS_IOC_FSGETXATTR, attributes, { op: 'read the project of a folder' });
  return attributes;
}

async function openFileSystem(folder: string) {
  const device = coveringMount(readMountInfo('self'), folder)?.source ?? '';
  const handle = await open(folder);
  return {
    handle,
    system: { fd: handle.fd, device },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}
