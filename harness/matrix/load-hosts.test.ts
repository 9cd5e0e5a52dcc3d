import { expect, it } from 'vitest';
import { HostsFileError, loadHosts, parseHosts } from './load-hosts.ts';

it('reads the hosts.yaml of the project', async () => {
  const hosts = await loadHosts(new URL('../../hosts.yaml', import.meta.url).pathname);
  expect(hosts.map(({ name, release }) => `${name} ${release}`)).toEqual(['debian-11 11', 'debian-13 13']);
  const cells = hosts.flatMap(({ name: host, engines }) =>
    engines.map(({ name, drivers }) => `${host}/${name}: ${drivers.map((driver) => driver.name)}`),
  );
  expect(cells).toEqual([
    'debian-11/hull: overlay,vfs,devicemapper,btrfs',
    'debian-13/hull: overlay,vfs,devicemapper,btrfs,zfs',
  ]);
  for (const { engines } of hosts) expect(engines[0]?.drivers.every(({ required }) => required)).toBe(true);
});

function problemsOf(text: string): readonly string[] {
  try {
    parseHosts(text, 'hosts.yaml');
  } catch (error) {
    if (error instanceof HostsFileError) return error.problems;
    throw error;
  }
  return [];
}

const engines = 'engines: [{ name: hull, drivers: [{ name: vfs }] }]';

it('names line, column, field, value found and value wanted, for all problems at once', () => {
  const text = `hosts:
  a:
    provider: qemuu
    distribution: debian
    release: 12
    memoryMiB: lots
    memory: 5
    ${engines}
  b:
    provider: qemu
    distribution: debian
    engines:
      - name: hull
        drivers:
          - name: overlay
            requird: true
`;
  expect(problemsOf(text)).toEqual([
    'hosts.yaml:3:15: hosts.a.provider: found "qemuu", wanted "qemu". Did you mean "qemu"?',
    'hosts.yaml:6:16: hosts.a.memoryMiB: found "lots", wanted a whole number of MiB, at least 256.',
    'hosts.yaml:7:5: hosts.a.memory: unknown field, wanted one of provider, distribution, release, memoryMiB, cpus, diskGiB, kernel, kernelArgs, packages, engines. Did you mean "memoryMiB"?',
    'hosts.yaml:10:5: hosts.b.release: found nothing, wanted a release number or name, such as "11" or "bookworm".',
    'hosts.yaml:16:13: hosts.b.engines[0].drivers[0].requird: unknown field, wanted one of name, required, onDemand, fileSystem, packages, options. Did you mean "required"?',
  ]);
});

it('has a kernel of its own from the folder of the file', () => {
  const host = (kernel: string) =>
    `hosts:\n  a: { provider: qemu, distribution: debian, release: 12, kernel: ${kernel}, ${engines} }\n`;
  const kernelOf = (text: string) => parseHosts(text, '/src/seatrial/hosts.yaml')[0]?.kernel;
  expect(kernelOf(host('../linux/arch/x86/boot/bzImage'))).toBe('/src/linux/arch/x86/boot/bzImage');
  expect(kernelOf(host('/boot/vmlinuz'))).toBe('/boot/vmlinuz');
  expect(problemsOf(host('7'))).toEqual([
    expect.stringMatching(/^hosts.yaml:2:\d+: hosts.a.kernel: found 7, wanted the path of a bzImage/),
  ]);
});

it('follows an alias to the place where the value stands', () => {
  const text = `hosts:
  a: { provider: qemu, distribution: debian, release: 12, engines: &e [{ name: hul, drivers: [{ name: vfs }] }] }
  b: { provider: qemu, distribution: debian, release: 12, engines: *e }
`;
  expect(problemsOf(text)).toEqual([
    expect.stringMatching(
      /^hosts.yaml:2:80: hosts.a.engines\[0\].name: found "hul".* Did you mean "hull"\?$/,
    ),
    expect.stringMatching(/^hosts.yaml:2:80: hosts.b.engines\[0\].name: found "hul"/),
  ]);
});

it.each([
  ['a syntax error', 'hosts: [', /^hosts.yaml:1:9: /],
  ['a duplicate host', 'hosts:\n  a: 1\n  a: 2\n', /^hosts.yaml:3:3: .*unique/],
  ['an empty file', '', /^hosts.yaml:1:1: hosts: found nothing, wanted a map/],
  ['no hosts', 'hosts: {}', /wanted at least one/],
  [
    'a host that is no map',
    'hosts:\n  a: 7\n',
    /^hosts.yaml:2:6: hosts.a: found 7, wanted a map of the fields of a host/,
  ],
  [
    "a driver's package that is none",
    'hosts:\n  a: { provider: qemu, distribution: debian, release: 12, engines: [{ name: hull, drivers: [{ name: zfs, packages: [universe/zfs] }] }] }\n',
    /^hosts.yaml:2:\d+: hosts.a.engines\[0\].drivers\[0\].packages\[0\]: found "universe\/zfs", wanted a list of package names/,
  ],
  [
    'a bad host name',
    `hosts:\n  A B: { provider: qemu, distribution: debian, release: 12, ${engines} }\n`,
    /^hosts.yaml:2/,
  ],
])('reports %s with its place', (_, text, expected) => {
  expect(problemsOf(text)).toEqual([expect.stringMatching(expected)]);
});
