import { expect, test } from 'vitest';
import { parseCgroupMounts } from './hierarchies.ts';

const subsystems =
  '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\ncpuacct\t1\t1\t1\nmemory\t4\t2\t1\n';

function mounts(...lines: string[]) {
  return parseCgroupMounts(lines.join('\n'), subsystems).map(
    ({ version, root, controllers }) => `v${version} ${root} ${controllers.join(',')}`,
  );
}

test('reads co-mounted and named v1 hierarchies, and tells controllers from mount flags', () => {
  expect(
    mounts(
      '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
      '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct',
      '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory,clone_children',
      '40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd',
      '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate',
    ),
  ).toEqual([
    'v2 /sys/fs/cgroup/unified ',
    'v1 /sys/fs/cgroup/systemd name=systemd',
    'v1 /sys/fs/cgroup/memory memory',
    'v1 /sys/fs/cgroup/cpu,cpuacct cpu,cpuacct',
  ]);
});

test('reads a pure v2 host, wherever it is mounted', () => {
  expect(mounts('30 24 0:26 / /a\\040b rw shared:4 - cgroup2 cgroup2 rw,nsdelegate')).toEqual(['v2 /a b ']);
});

test('leaves read-only mounts out and puts those of a whole hierarchy first', () => {
  expect(
    mounts(
      '32 31 0:32 / /whole rw - cgroup cgroup rw,memory',
      '33 31 0:32 /part /part rw - cgroup cgroup rw,memory',
      '34 31 0:32 / /frozen ro - cgroup cgroup rw,memory',
    ),
  ).toEqual(['v1 /whole memory', 'v1 /part memory']);
});
