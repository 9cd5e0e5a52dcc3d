import { expect, test } from 'vitest';
import { parseKernelRecord } from '../../kernel/kernel-log.ts';
import { parseKill } from './oom-log.ts';

const scope = '/system.slice/hull-1a2b-3c.scope';

test.each([
  [
    'with its group',
    `6,812,5140900,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=hull,mems_allowed=0,oom_memcg=${scope},task_memcg=${scope}/a,b,task=a,pid=1,pid=77,uid=0\n SUBSYSTEM=none`,
    { pid: 77, group: `${scope}/a,b` },
  ],
  [
    'with its number alone',
    '3,813,5140999,-;Memory cgroup out of memory: Killed process 77 (dd) total-vm:70000kB, anon-rss:15000kB, UID:0',
    { pid: 77, group: undefined },
  ],
  ['of another kind', '6,814,5141000,-;Tasks state (memory values in pages):', undefined],
])('a record of a kill %s', (_, record, kill) => {
  const { sequence, text = '' } = parseKernelRecord(record) ?? {};
  expect(sequence).toBe(Number(record.split(',')[1]));
  expect(parseKill(text)).toEqual(kill);
});

test('what is no record', () => {
  expect(parseKernelRecord('')).toBeUndefined();
  expect(parseKernelRecord('text alone')).toBeUndefined();
});
