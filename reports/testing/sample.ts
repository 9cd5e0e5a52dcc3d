import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type JobId, jobOf, type Result, type Results } from '../schema.ts';

/**
 * A made-up run for the tests and for looking at the page while it is worked on; it says so itself. Everything in it is fixed, so
 * that golden texts and screenshots can be compared.
 */
export const plannedScenarios: Readonly<Record<string, readonly string[]>> = {
  'start-stop': [
    'exit-code-is-kept',
    'leaves-nothing-after-remove',
    'stop-escalates-to-sigkill',
    'start-again-after-stop',
    'two-hundred-starts-leak-nothing',
  ],
  'daemon-crash': [
    'container-survives-sigkill',
    'sigkill-while-starting',
    'sigkill-while-stopping',
    'restart-takes-containers-over',
    'exit-while-daemon-is-dead',
  ],
  umount: [
    'held-mount-names-holder',
    'held-device-names-holder',
    'released-when-holder-goes',
    'start-works-after-busy',
  ],
};

const cells = ['debian-11', 'debian-13'].flatMap((host) =>
  ['overlay', 'vfs', 'devicemapper'].map((driver) => ({ host, engine: 'hull', driver })),
);
const kernels: Readonly<Record<string, string>> = {
  'debian-11': '5.10.0-36-amd64',
  'debian-13': '6.12.57+deb13-amd64',
};

export const sampleJobs: readonly JobId[] = cells.flatMap((cell) =>
  Object.entries(plannedScenarios).flatMap(([area, names]) =>
    names.map((scenario) => ({ ...cell, area, scenario })),
  ),
);

/** Name → what differs from a pass. */
const exceptions: Readonly<Record<string, Partial<Result>>> = {
  'debian-11/hull/devicemapper:umount/released-when-holder-goes': {
    outcome: 'fail',
    durationMs: 11_840,
    reason:
      'Cannot remove device "hull-1f0c3e9a-snap": EBUSY after 10 s, although the holder was gone\nfound: open count 1, wanted: 0',
    evidence: {
      step: 'ioctl(DM_DEV_REMOVE, "hull-1f0c3e9a-snap")',
      errno: 'EBUSY',
      holders: [
        'pid 2214 (sleep), mount namespace 4026532331, /var/lib/seatrial/hull/devicemapper/mnt/1f0c3e9a',
      ],
      leaks: [
        { kind: 'dm', what: 'hull-1f0c3e9a-snap (254:3)', owner: 'container 1f0c3e9a7b2d' },
        {
          kind: 'mount',
          what: '/var/lib/seatrial/hull/devicemapper/mnt/1f0c3e9a',
          owner: 'container 1f0c3e9a7b2d',
        },
      ],
      detail:
        'AssertionError: expected 1 to be +0\n    at scenarios/umount/released-when-holder-goes.scenario.ts:41:34\n\n- Expected\n+ Received\n\n- 0\n+ 1',
      daemonLog: 'evidence/debian-11-hull-devicemapper/released-when-holder-goes/daemon.log',
      console: 'evidence/debian-11/console.log',
      mountinfo: 'evidence/debian-11-hull-devicemapper/released-when-holder-goes/mountinfo',
      rerun: "npm run scenarios -- 'debian-11/hull/devicemapper:umount/released-when-holder-goes'",
    },
  },
  'debian-13/hull/overlay:daemon-crash/sigkill-while-stopping': {
    outcome: 'flaky',
    durationMs: 6_120,
    reason: 'Cannot inspect container 77ab01: status is "running" 5 s after restart, wanted "exited"',
    attempts: { passed: 2, total: 3 },
    evidence: {
      step: 'GET /containers/77ab01/json',
      daemonLog: 'evidence/debian-13-hull-overlay/sigkill-while-stopping/daemon.log',
      rerun: "npm run scenarios -- 'debian-13/hull/overlay:daemon-crash/sigkill-while-stopping'",
    },
  },
};

const notADevice =
  'not a block device driver: "held-device" needs dm (probed: dmsetup table of the layer, no such device)';

export const sampleResults: Results = {
  version: 1,
  runId: 'sample-not-a-real-run',
  startedAt: '2026-01-31T12:00:00.000Z',
  durationMs: 118_400,
  command: 'npm run scenarios (made-up sample data)',
  commit: '0123456789abcdef0123456789abcdef01234567',
  hosts: [
    {
      name: 'debian-11',
      kernel: '5.10.0-36-amd64',
      distribution: 'Debian GNU/Linux 11 (bullseye)',
      cgroups: 'v1',
      arch: 'x64',
      accelerator: 'tcg (/dev/kvm is there and cannot boot a stock kernel)',
      phases: [
        { name: 'resume', durationMs: 240 },
        { name: 'ssh', durationMs: 1_720 },
        { name: 'provision', durationMs: 3_300 },
      ],
    },
    {
      name: 'debian-13',
      kernel: '6.12.57+deb13-amd64',
      distribution: 'Debian GNU/Linux 13 (trixie)',
      cgroups: 'v2',
      arch: 'x64',
      accelerator: 'tcg (/dev/kvm is there and cannot boot a stock kernel)',
      phases: [
        { name: 'resume', durationMs: 310 },
        { name: 'ssh', durationMs: 1_910 },
        { name: 'provision', durationMs: 2_850 },
      ],
    },
  ],
  results: sampleJobs.map((job, index) => {
    const base = { ...job, kernel: kernels[job.host] ?? '', required: true };
    if (job.scenario === 'held-device-names-holder' && job.driver !== 'devicemapper') {
      return { ...base, required: false, outcome: 'skip', durationMs: 120, reason: notADevice };
    }
    return { ...base, outcome: 'pass', durationMs: 420 + ((index * 389) % 1_900), ...exceptions[jobOf(job)] };
  }),
};

/** The run before: one failure less, one more, and one scenario that is gone. */
export const sampleBaseline: Results = {
  ...sampleResults,
  runId: 'sample-baseline',
  startedAt: '2026-01-30T12:00:00.000Z',
  commit: 'fedcba9876543210fedcba9876543210fedcba98',
  results: sampleResults.results.map((result) => {
    const job = jobOf(result);
    const { evidence, attempts, reason, ...passed } = result;
    if (job === 'debian-11/hull/devicemapper:umount/released-when-holder-goes') {
      return { ...passed, outcome: 'pass', durationMs: 1_800 };
    }
    if (job !== 'debian-11/hull/vfs:start-stop/start-again-after-stop') return result;
    return { ...passed, outcome: 'fail', reason: 'Cannot start container: 409' };
  }),
};

const daemonLog = `${Array.from(
  { length: 40 },
  (_, index) =>
    `time=2026-01-31T12:01:${String(index).padStart(2, '0')}.204Z level=info msg="GET /_ping" status=200 durationMs=${1 + (index % 3)}`,
).join('\n')}
time=2026-01-31T12:01:40.611Z level=info msg="remove container" id=1f0c3e9a7b2d driver=devicemapper
time=2026-01-31T12:01:40.640Z level=warn msg="Cannot remove device \\"hull-1f0c3e9a-snap\\": EBUSY, held by pid 2214 (sleep)" retry=1
time=2026-01-31T12:01:50.702Z level=error msg="Cannot remove device \\"hull-1f0c3e9a-snap\\": EBUSY after 10 s" deferred=true
`;

const consoleText = `[    0.000000] Linux version 5.10.0-36-amd64 (debian-kernel@lists.debian.org)
[    1.914202] systemd[1]: Set hostname to <debian-11>.
[   96.470113] device-mapper: thin: Creation of new snapshot 3 of device 1.
[  101.220914] XFS (dm-3): Mounting V5 Filesystem
[  101.287033] XFS (dm-3): Ending clean mount
`;

const mountinfo = `21 26 0:19 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
22 26 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
26 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
91 26 254:3 / /var/lib/seatrial/hull/devicemapper/mnt/1f0c3e9a rw,relatime shared:60 - xfs /dev/mapper/hull-1f0c3e9a-snap rw,nouuid
`;

/** Writes the evidence files that the sample results name. */
export async function writeSampleEvidence(dir: string): Promise<void> {
  const texts = { daemonLog, console: consoleText, mountinfo };
  for (const { evidence } of sampleResults.results) {
    for (const kind of ['daemonLog', 'console', 'mountinfo'] as const) {
      const path = evidence?.[kind];
      if (path === undefined) continue;
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), texts[kind]);
    }
  }
}
