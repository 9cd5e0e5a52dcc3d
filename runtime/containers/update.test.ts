import { describe, expect, test } from 'vitest';
import { parseCreateRequest } from './create-request.ts';
import { limitsOf } from './limits.ts';
import { changedOnly, mergeUpdate } from './update.ts';
import { parseUpdateRequest } from './update-request.ts';

const MiB = 1 << 20;
const features = { swapLimit: true, blkioWeight: false };
const hostOf = (HostConfig: object) => parseCreateRequest({ Image: 'a', HostConfig }).HostConfig;

function update(HostConfig: object, body: object) {
  const wanted = parseUpdateRequest(body);
  const host = mergeUpdate(hostOf(HostConfig), wanted);
  return changedOnly(limitsOf(host, features), wanted, host);
}

describe('an update', () => {
  // What `docker update --cpu-shares 512` sends, in part.
  const sent = {
    CpuShares: 512,
    Memory: 0,
    CgroupParent: '',
    BlkioWeight: 0,
    Devices: [],
    RestartPolicy: {},
    PidsLimit: null,
  };

  test.each([
    ['only what is given', { Memory: 64 * MiB, NanoCpus: 5e8 }, sent, { cpu: { shares: 512 } }],
    ['nothing', { Memory: 64 * MiB }, {}, {}],
    [
      'memory takes the derived swap with it',
      { Memory: 64 * MiB },
      { Memory: 32 * MiB },
      { memory: { limit: 32 * MiB, swap: 64 * MiB } },
    ],
    [
      'swap alone says the memory too',
      { Memory: 64 * MiB },
      { MemorySwap: -1 },
      { memory: { limit: 64 * MiB, swap: -1 } },
    ],
    [
      'a quota with the period it has',
      { CpuPeriod: 50_000 },
      { CpuQuota: 5000 },
      { cpu: { period: 50_000, quota: 5000 } },
    ],
    ['pids, no limit included', { PidsLimit: 5 }, { PidsLimit: -1 }, { pids: { limit: -1 } }],
    ['cpus of a cpuset', {}, { CpusetCpus: '0' }, { cpu: { cpus: '0' } }],
    ['a restart policy is no limit', {}, { RestartPolicy: { Name: 'always' } }, {}],
  ])('%s', (_, before, body, wanted) => {
    expect(update(before, body)).toEqual(wanted);
  });

  test.each([
    ['conflict', { Memory: 64 * MiB, MemorySwap: 96 * MiB }, { Memory: 128 * MiB }, /above the limit of/],
    ['conflict', { NanoCpus: 5e8 }, { CpuQuota: 5000 }, /NanoCpus is set already/],
    ['conflict', { CpuQuota: 5000 }, { NanoCpus: 5e8 }, /CpuPeriod or CpuQuota/],
    ['conflict', { AutoRemove: true }, { RestartPolicy: { Name: 'always' } }, /AutoRemove/],
    ['invalid', {}, { Memory: 1000 }, /HostConfig\.Memory: found 1000/],
    ['invalid', {}, { Memory: 'much' }, /Memory/],
    ['invalid', {}, { BlkioWeight: 5 }, /BlkioWeight: found 5/],
    ['invalid', {}, { RestartPolicy: { Name: 'never' } }, /RestartPolicy\.Name/],
    ['unsupported', {}, { Privileged: true }, /Privileged/],
  ])('%s: %j updated by %j', (kind, before, body, message) => {
    expect(() => update(before, body)).toThrow(
      expect.objectContaining({ kind, message: expect.stringMatching(message) }),
    );
  });
});
