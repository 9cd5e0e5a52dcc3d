import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, HullError } from '../base/errors.ts';
import type { Device, DeviceRule, Resources } from '../base/oci.ts';
import type { HostConfig } from './create-request.ts';
import { deviceOf } from './host-devices.ts';

/** What HostConfig says about devices by the host's paths, in numbers. */
export interface RequestedDevices {
  /** `--device`: the nodes to make. */
  readonly nodes: readonly Device[];
  /** The rules for them, and those of `--device-cgroup-rule`. */
  readonly rules: readonly DeviceRule[];
  readonly blockIO: NonNullable<Resources['blockIO']>;
}

export const noDevices: RequestedDevices = { nodes: [], rules: [], blockIO: {} };

type DeviceFields = Pick<
  HostConfig,
  | 'Devices'
  | 'DeviceCgroupRules'
  | 'BlkioWeightDevice'
  | 'BlkioDeviceReadBps'
  | 'BlkioDeviceWriteBps'
  | 'BlkioDeviceReadIOps'
  | 'BlkioDeviceWriteIOps'
>;

/** Kind `invalid` names a path that is no device, or a rule that is none. */
export async function requestedDevices(host: DeviceFields): Promise<RequestedDevices> {
  const found = await Promise.all(
    host.Devices.map(async ({ PathOnHost, PathInContainer, CgroupPermissions }) =>
      (await nodesOf(PathOnHost, PathInContainer || PathOnHost)).map((node) => ({
        node,
        access: CgroupPermissions || 'rwm',
      })),
    ),
  );
  return {
    nodes: found.flat().map(({ node }) => node),
    rules: [
      ...found.flat().map(
        ({ node: { type, major = 0, minor = 0 }, access }): DeviceRule => ({
          allow: true,
          type,
          major,
          minor,
          access,
        }),
      ),
      ...host.DeviceCgroupRules.map(parseRule),
    ],
    blockIO: await blockIO(host),
  };
}

/** One device, or all below a folder. */
async function nodesOf(path: string, inContainer: string): Promise<readonly Device[]> {
  const info = await lookAt(path);
  if (info.isDirectory()) {
    const names = await readdir(path);
    const below = await Promise.all(
      names.map(async (name) => {
        const entry = await lstat(join(path, name));
        const wanted = entry.isDirectory() || entry.isBlockDevice() || entry.isCharacterDevice();
        return wanted ? await nodesOf(join(path, name), join(inContainer, name)) : [];
      }),
    );
    return below.flat();
  }
  const device = deviceOf(inContainer, info);
  if (device) return [device];
  throw invalid('Devices', `found ${JSON.stringify(path)}, which is no device node`);
}

/** `c 1:3 rwm`, with `*` for every number. */
function parseRule(rule: string): DeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(rule);
  const [, type, major, minor, access] = match ?? [];
  if ((type === 'a' || type === 'b' || type === 'c') && access !== undefined) {
    const number = (word: string | undefined) => (word === '*' ? -1 : Number(word));
    return { allow: true, type, major: number(major), minor: number(minor), access };
  }
  throw invalid('DeviceCgroupRules', `found ${JSON.stringify(rule)}, wanted it as "c 1:3 rwm"`);
}

async function blockIO(host: DeviceFields): Promise<RequestedDevices['blockIO']> {
  const rates = async (list: readonly { readonly Path: string; readonly Rate: number }[]) =>
    await Promise.all(list.map(async ({ Path, Rate }) => ({ ...(await numbersOf(Path)), rate: Rate })));
  const weights = await Promise.all(
    host.BlkioWeightDevice.map(async ({ Path, Weight }) => ({ ...(await numbersOf(Path)), weight: Weight })),
  );
  const all = {
    weightDevice: weights,
    throttleReadBpsDevice: await rates(host.BlkioDeviceReadBps),
    throttleWriteBpsDevice: await rates(host.BlkioDeviceWriteBps),
    throttleReadIOPSDevice: await rates(host.BlkioDeviceReadIOps),
    throttleWriteIOPSDevice: await rates(host.BlkioDeviceWriteIOps),
  };
  return Object.fromEntries(Object.entries(all).filter(([, entries]) => entries.length > 0));
}

async function numbersOf(path: string): Promise<{ readonly major: number; readonly minor: number }> {
  const device = deviceOf(path, await lookAt(path));
  if (device?.type !== 'b')
    throw invalid('Blkio…', `found ${JSON.stringify(path)}, which is no block device`);
  return { major: device.major ?? 0, minor: device.minor ?? 0 };
}

async function lookAt(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    throw invalid('Devices', `found ${codeOf(cause) ?? String(cause)} at ${JSON.stringify(path)}`, cause);
  }
}

const invalid = (field: string, reason: string, cause?: unknown): HullError =>
  new HullError(`Cannot use HostConfig.${field}: ${reason}`, { kind: 'invalid', cause });
