import koffi from 'koffi';
import { HullError, SystemError } from '../base/errors.ts';

/** `enum` of <libdevmapper.h>. */
const taskTypes = {
  create: 0,
  reload: 1,
  remove: 2,
  suspend: 4,
  resume: 5,
  info: 6,
  version: 9,
  status: 10,
  table: 11,
  listVersions: 16,
  message: 17,
} as const;

/** The four bits that keep udev's rules from opening or linking the device: nobody but us is to hold it for a moment. */
const udevHandsOff = 0x1 | 0x2 | 0x4 | 0x8;

export interface DmTarget {
  readonly start: bigint;
  /** In sectors of 512 bytes. */
  readonly length: bigint;
  readonly type: string;
  readonly params: string;
}

export interface DmInfo {
  readonly exists: boolean;
  readonly suspended: boolean;
  readonly liveTable: boolean;
  readonly openCount: number;
  readonly major: number;
  readonly minor: number;
  readonly readOnly: boolean;
  readonly deferredRemove: boolean;
}

export interface DmRequest {
  readonly type: keyof typeof taskTypes;
  /** Absent for `version` and `listVersions`. */
  readonly name?: string;
  readonly uuid?: string;
  readonly targets?: readonly DmTarget[];
  readonly message?: string;
  readonly deferred?: boolean;
  readonly readOnly?: boolean;
  /** Suspend: leave what is queued, and do not freeze a file system. */
  readonly noFlush?: boolean;
  readonly skipLockFs?: boolean;
  /** For the error text: `remove device "hull-…"`. */
  readonly op: string;
}

export interface DmAnswer {
  readonly info: DmInfo | undefined;
  readonly targets: readonly DmTarget[];
  readonly driverVersion: string;
  /** Of `listVersions`: target names with versions. */
  readonly versions: ReadonlyMap<string, string>;
}

/**
 * One device-mapper request, by libdevmapper. Nodes: devtmpfs makes `/dev/dm-<minor>`; the library's own
 * `/dev/mapper` nodes are never asked for, so no stale one can be left. A refusal is a SystemError with the kernel's errno.
 */
export function dmRequest(request: DmRequest): DmAnswer {
  const dm = library();
  const task: unknown = dm.create(taskTypes[request.type]);
  if (!task) throw new HullError(`Cannot ${request.op}: libdevmapper made no task`, { kind: 'internal' });
  try {
    const set = (done: unknown, what: string) => {
      if (Number(done) !== 1) {
        throw new HullError(`Cannot ${request.op}: libdevmapper refused the ${what}`, { kind: 'invalid' });
      }
    };
    if (request.name !== undefined) set(dm.setName(task, request.name), `name ${request.name}`);
    if (request.uuid !== undefined) set(dm.setUuid(task, request.uuid), `uuid ${request.uuid}`);
    if (request.message !== undefined) {
      set(dm.setMessage(task, request.message), 'message');
      set(dm.setSector(task, 0), 'sector');
    }
    for (const { start, length, type, params } of request.targets ?? []) {
      set(dm.addTarget(task, start, length, type, params), `target ${type}`);
    }
    if (request.readOnly) set(dm.setReadOnly(task), 'read-only flag');
    if (request.deferred) set(dm.deferredRemove(task), 'deferred removal');
    if (request.noFlush) set(dm.noFlush(task), 'no-flush flag');
    if (request.skipLockFs) set(dm.skipLockFs(task), 'skip-lockfs flag');
    // With synchronisation off this only carries the flags into the uevent; no semaphore is made.
    set(dm.setCookie(task, [0], udevHandsOff), 'udev flags');
    if (Number(dm.run(task)) !== 1) {
      throw new SystemError({ errno: Number(dm.getErrno(task)) || 5, syscall: 'ioctl', op: request.op });
    }
    return {
      info: request.name === undefined ? undefined : readInfo(dm, task),
      targets: request.type === 'status' || request.type === 'table' ? readTargets(dm, task) : [],
      driverVersion: request.type === 'version' ? readVersion(dm, task) : '',
      versions: request.type === 'listVersions' ? readVersions(dm, task) : new Map(),
    };
  } finally {
    dm.destroy(task);
  }
}

type Library = ReturnType<typeof bind>;

function bind() {
  const lib = load();
  const logger = koffi.proto('void hull_dm_log(int, const char *, int, const char *)');
  const functions = {
    create: lib.func('void *dm_task_create(int)'),
    destroy: lib.func('void dm_task_destroy(void *)'),
    run: lib.func('int dm_task_run(void *)'),
    getErrno: lib.func('int dm_task_get_errno(void *)'),
    setName: lib.func('int dm_task_set_name(void *, const char *)'),
    setUuid: lib.func('int dm_task_set_uuid(void *, const char *)'),
    setMessage: lib.func('int dm_task_set_message(void *, const char *)'),
    setSector: lib.func('int dm_task_set_sector(void *, uint64_t)'),
    setReadOnly: lib.func('int dm_task_set_ro(void *)'),
    addTarget: lib.func('int dm_task_add_target(void *, uint64_t, uint64_t, const char *, const char *)'),
    deferredRemove: lib.func('int dm_task_deferred_remove(void *)'),
    noFlush: lib.func('int dm_task_no_flush(void *)'),
    skipLockFs: lib.func('int dm_task_skip_lockfs(void *)'),
    setCookie: lib.func('int dm_task_set_cookie(void *, _Inout_ uint32_t *, uint16_t)'),
    getInfo: lib.func('int dm_task_get_info(void *, void *)'),
    getVersion: lib.func('int dm_task_get_driver_version(void *, void *, size_t)'),
    getVersions: lib.func('void *dm_task_get_versions(void *)'),
    nextTarget: lib.func(
      'void *dm_get_next_target(void *, void *, _Out_ uint64_t *, _Out_ uint64_t *, _Out_ const char **, _Out_ const char **)',
    ),
  };
  // Refusals come back as errno; the library's own lines on stderr would only say them twice.
  const silent = koffi.register(() => {}, koffi.pointer(logger));
  lib.func('void dm_log_init(void *)')(silent);
  lib.func('int dm_udev_set_sync_support(int)')(0);
  lib.func('int dm_udev_set_checking(int)')(0);
  lib.func('void dm_hold_control_dev(int)')(1);
  return functions;
}

// Loaded at the first request: machines without the library run every other driver.
const library = once(bind);

function once<T>(make: () => T): () => T {
  const made: T[] = [];
  return () => {
    if (made.length === 0) made.push(make());
    return made[0] as T;
  };
}

function load() {
  try {
    return koffi.load('libdevmapper.so.1.02.1');
  } catch (cause) {
    throw new HullError('Cannot use the device mapper: the library libdevmapper.so.1.02.1 is not installed', {
      kind: 'unsupported',
      hint: 'Install it: apt-get install libdevmapper1.02.1, or dnf install device-mapper-libs.',
      cause,
    });
  }
}

/** `struct dm_info`: twelve 32-bit fields; room for those that later versions may add. */
function readInfo(dm: Library, task: unknown): DmInfo {
  const buffer = Buffer.alloc(128);
  dm.getInfo(task, buffer);
  const field = (index: number) => buffer.readInt32LE(index * 4);
  return {
    exists: field(0) !== 0,
    suspended: field(1) !== 0,
    liveTable: field(2) !== 0,
    openCount: field(4),
    major: field(6),
    minor: field(7),
    readOnly: field(8) !== 0,
    deferredRemove: field(10) !== 0,
  };
}

function readTargets(dm: Library, task: unknown): DmTarget[] {
  const targets: DmTarget[] = [];
  let next: unknown = null;
  do {
    const start = [0n];
    const length = [0n];
    const type: (string | null)[] = [null];
    const params: (string | null)[] = [null];
    next = dm.nextTarget(task, next, start, length, type, params);
    if (type[0]) {
      targets.push({
        start: BigInt(start[0] ?? 0),
        length: BigInt(length[0] ?? 0),
        type: type[0],
        params: params[0] ?? '',
      });
    }
  } while (next);
  return targets;
}

function readVersion(dm: Library, task: unknown): string {
  const buffer = Buffer.alloc(64);
  dm.getVersion(task, buffer, buffer.length);
  return buffer.toString('utf8', 0, buffer.indexOf(0));
}

/** `struct dm_versions`: offset of the next one, three version numbers, name; in one allocation. */
function readVersions(dm: Library, task: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let entry: unknown = dm.getVersions(task);
  // koffi gives pointers as bigints, and null as null.
  while (typeof entry === 'bigint') {
    const at: bigint = entry;
    const [next = 0, ...version] = [0n, 4n, 8n, 12n].map((offset) => koffi.decode.uint32(at + offset));
    const name = koffi.decode.string(at + 16n);
    if (name) found.set(name, version.join('.'));
    if (next === 0) break;
    entry = at + BigInt(next);
  }
  return found;
}
