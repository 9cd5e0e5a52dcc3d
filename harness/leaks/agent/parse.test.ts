import { expect, it } from 'vitest';
import { parseMount } from './mounts.ts';
import { nftThings } from './nft.ts';
import { datasetThings } from './zfs.ts';

it('reads a line of mountinfo with optional fields and escapes', () => {
  const line =
    '36 35 98:0 /mnt\\0401 /mnt\\0402 rw,noatime shared:7 master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue';
  expect(parseMount(line)).toEqual({
    device: '98:0',
    root: '/mnt 1',
    target: '/mnt 2',
    options: 'rw,noatime',
    propagation: 'shared,master',
    type: 'ext3',
    source: '/dev/root',
    superOptions: 'rw,errors=continue',
  });
});

it('calls a mount without optional fields private', () => {
  expect(parseMount('1 0 0:1 / / ro - tmpfs none ro').propagation).toBe('private');
});

it('reads nft rules without handles and counters', () => {
  const ruleset = (packets: number, handle: number) =>
    JSON.stringify({
      nftables: [
        { metainfo: { version: '1.0.6' } },
        { table: { family: 'inet', name: 't', handle } },
        {
          rule: {
            family: 'inet',
            table: 't',
            chain: 'c',
            handle,
            expr: [{ counter: { packets, bytes: 1 } }],
          },
        },
      ],
    });
  const [table, rule] = nftThings(ruleset(1, 2));
  expect(table?.what).toBe('table inet t');
  expect(rule?.what).toBe('rule {"family":"inet","table":"t","chain":"c","expr":[{"counter":{}}]}');
  expect(nftThings(ruleset(5, 9))).toEqual([table, rule]);
});

it('tells two equal nft rules apart', () => {
  const rule = { rule: { family: 'ip', table: 't', chain: 'c', expr: [] } };
  const ids = nftThings(JSON.stringify({ nftables: [rule, rule] })).map(({ id }) => id);
  expect(new Set(ids).size).toBe(2);
});

it('names zfs datasets and snapshots with their type', () => {
  const things = datasetThings('tank\tfilesystem\ntank/hull a/x@y\tsnapshot\n');
  expect(things.map(({ id, what }) => [id, what])).toEqual([
    ['tank', 'tank (filesystem)'],
    ['tank/hull a/x@y', 'tank/hull a/x@y (snapshot)'],
  ]);
  expect(datasetThings('')).toEqual([]);
});
