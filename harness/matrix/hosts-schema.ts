import { z } from 'zod';
import { debianPackage } from '../provision/debian-package.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9_.-]*$/);
const packages = z.array(z.string().regex(debianPackage)).default([]);
const optionValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const Driver = z.strictObject({
  name,
  required: z.boolean().default(true),
  onDemand: z.boolean().default(false),
  fileSystem: z.enum(['btrfs', 'ext4', 'xfs', 'zfs']).optional(),
  packages,
  options: z.record(z.string(), optionValue).default({}),
});

const Engine = z.strictObject({
  name: z.enum(['hull', 'docker']),
  drivers: z.array(Driver).min(1),
});

const Host = z.strictObject({
  provider: z.enum(['qemu']),
  distribution: z.enum(['debian']),
  release: z.union([z.string().min(1), z.number()]).transform(String),
  memoryMiB: z.int().min(256).default(1024),
  cpus: z.int().min(1).max(64).default(1),
  diskGiB: z.int().min(2).default(8),
  kernel: z.string().min(1).optional(),
  kernelArgs: z.array(z.string().min(1)).default([]),
  packages,
  engines: z.array(Engine).min(1),
});

/** The shape of hosts.yaml. */
export const HostsFile = z.strictObject({ hosts: z.record(name, Host) });

/** What a field's value must be, in words for an error. By the field's name, which means the same wherever it stands. */
export const wantedValues: Readonly<Record<string, string>> = {
  hosts: 'a map of host names (small letters, digits, ".", "_", "-") to their definitions',
  host: 'a map of the fields of a host: provider, distribution, release, engines and more',
  name: 'a name of small letters, digits, ".", "_" and "-"',
  provider: '"qemu"',
  distribution: '"debian"',
  release: 'a release number or name, such as "11" or "bookworm"',
  memoryMiB: 'a whole number of MiB, at least 256',
  cpus: 'a whole number from 1 to 64',
  diskGiB: 'a whole number of GiB, at least 2',
  kernel: 'the path of a bzImage, from the folder of this file',
  kernelArgs: "a list of words for the kernel's command line",
  packages: 'a list of package names, such as nftables, or contrib/zfs-dkms where it is not in main',
  engines: 'a list of engines with at least one entry: {name: "hull" or "docker", drivers: […]}',
  drivers:
    'a list of drivers with at least one entry: {name, required, onDemand, fileSystem, packages, options}',
  required: 'true or false',
  onDemand: 'true or false',
  fileSystem: '"btrfs", "ext4", "xfs" or "zfs"',
  options: 'a map of option names to strings, numbers, true or false',
};

/** The fields of each kind of map in the file. */
export const knownFields = {
  file: Object.keys(HostsFile.shape),
  host: Object.keys(Host.shape),
  engine: Object.keys(Engine.shape),
  driver: Object.keys(Driver.shape),
} as const;
