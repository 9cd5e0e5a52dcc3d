import { expect, it } from 'vitest';
import type { Spec } from '../base/oci.ts';
import { compileDetached, type DetachedRequest } from './compile-detached.ts';
import { callsOf, stepOf } from './explain.ts';
import { prepareDetached } from './launch-detached.ts';
import { blank, ProgramCache } from './program-cache.ts';

const spec = {
  ociVersion: '1.2.0',
  root: { path: '/rootfs' },
  process: { args: ['true'], cwd: '/', user: { uid: 0, gid: 0 } },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] },
  ],
  linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
} satisfies Partial<Spec> as unknown as Spec;

function request(id: string, group: string): DetachedRequest {
  return {
    id,
    spec,
    rootMounts: [{ type: 'bind', source: '/rootfs', target: '', options: ['rbind'] }],
    cgroup: {
      path: group,
      v1Procs: ['pids', 'cpu,cpuacct'].map((name) => `/sys/fs/cgroup/${name}/${group}/cgroup.procs`),
      v2Dir: `/sys/fs/cgroup/unified/${group}`,
    },
    startFifo: `/run/${id}/exec.fifo`,
    outcomeFifo: `/run/${id}/outcome.fifo`,
    stateFiles: { creating: `/run/${id}/creating`, created: `/run/${id}/created` },
    preservedDescriptors: 0,
  };
}

it.each([
  ['one', 'pods/one'],
  ['another', 'sys'],
  ['ü"\\', 'fs/pids'],
])('a kept program filled in for %s in %s has the steps of one compiled for it', (id, group) => {
  const programs = new ProgramCache();
  const first = prepareDetached(request('first', 'first'), programs);
  const prepared = prepareDetached(request(id, group), programs);
  expect(prepared.program).toBe(first.program);
  const program = compileDetached(request(id, group));
  const indices = callsOf(program).map((_, index) => index + 1);
  // In the words of a message a path is quoted.
  const plain = (text: string) => text.replaceAll('\\', '');
  const words = ({ what, args }: ReturnType<typeof stepOf>) => [what, ...args].map(plain);
  expect(indices.map((index) => words(prepared.step(index)))).toEqual(
    indices.map((index) => words(stepOf(program, index))),
  );
  const strings = new Set(prepared.image.toString().split('\0'));
  for (const path of [
    `/run/${id}/exec.fifo`,
    `/sys/fs/cgroup/pids/${group}/tasks`,
    `/sys/fs/cgroup/unified/${group}`,
  ])
    expect(strings).toContain(path);
  expect(prepared.image.includes(blank(0).slice(0, 7))).toBe(false);
});

it('a path that is longer than its blank is not filled in', () => {
  const long = request('x'.repeat(300), 'group');
  const prepared = prepareDetached(long, new ProgramCache());
  expect(prepared.image.includes(`${long.startFifo}\0`)).toBe(true);
});

it('what a request has other than blanks makes another program', () => {
  const programs = new ProgramCache();
  const other = { ...request('a', 'a'), preservedDescriptors: 1 };
  expect(prepareDetached(other, programs).program).not.toBe(
    prepareDetached(request('a', 'a'), programs).program,
  );
});

it('a kept program enters the group in resctrl too', () => {
  const resctrl = ['/sys/fs/resctrl/gold/tasks', '/sys/fs/resctrl/gold/mon_groups/a/tasks'];
  const asked = request('a', 'sys');
  const { program } = prepareDetached({ ...asked, cgroup: { ...asked.cgroup, resctrl } }, new ProgramCache());
  const entered = callsOf(program).flatMap(
    ({ what }) => /^enter cgroup "(\/sys\/fs\/resctrl.*)"$/.exec(what)?.[1] ?? [],
  );
  expect([...new Set(entered)]).toEqual(resctrl);
});
