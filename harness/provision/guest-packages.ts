/**
 * What a host needs so that scenarios can run on it: an init, SSH, and the tools that the engine's storage drivers
 * and the scenarios call. Node comes from this checkout, see harness/hosts/qemu/guest-files.ts.
 */
export const guestPackages = {
  debian: [
    'linux-image-amd64',
    'systemd-sysv',
    'udev',
    'kmod',
    'openssh-server',
    'iproute2',
    'nftables',
    'procps',
    'e2fsprogs',
    'xfsprogs',
    'dmsetup',
    'libdevmapper1.02.1',
    'libseccomp2',
    'thin-provisioning-tools',
  ],
} as const;

/** What the kernel tests of this project call besides, where they run in a guest. */
export const guestTestPackages = {
  debian: ['btrfs-progs', 'busybox-static', 'docker-registry', 'openssl', 'skopeo', 'umoci', 'zstd'],
} as const;

/** Docker's command line, by Debian's release: up to 12 it is in one package with the daemon. */
export const dockerClient = (release: string): string => (Number(release) > 12 ? 'docker-cli' : 'docker.io');

/** For the kernel's command line: Docker of the image does not start by itself, not even in the image's first boot. */
export const withoutDockerService = ['systemd.mask=docker.service', 'systemd.mask=docker.socket'] as const;
