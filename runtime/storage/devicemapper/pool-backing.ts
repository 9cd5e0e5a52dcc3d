import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cleanup } from '../../base/cleanup.ts';
import { HullError } from '../../base/errors.ts';
import { readBlockDevice } from '../../kernel/block-device.ts';
import { attachLoop, findLoops } from '../../kernel/loop.ts';

interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** Bytes. */
export interface PoolSizes {
  readonly data: number;
  readonly metadata: number;
}

/** What a pool's blocks and its metadata are on. */
export interface PoolBacking {
  /** Paths for people. */
  readonly data: string;
  readonly metadata: string;
  /** Bytes that the pool has for data. */
  dataSize(): Promise<number>;
  /** Before the first use: kind `conflict` where there is something that we did not make. */
  refuseUnlessNew(): Promise<void>;
  /** Afterwards there is no pool on it: whatever was, is gone. The pool must be inactive. */
  wipe(): Promise<void>;
  /** Afterwards there is at least so much room, where it is ours to make. The pool must be inactive. */
  grow(sizes: PoolSizes): Promise<void>;
  /** The devices for a table; what is pushed is undone when the table holds them. */
  attach(undo: Cleanup): Promise<{ readonly metadata: DeviceNumber; readonly data: DeviceNumber }>;
  /** The pool is gone: afterwards the devices under it are free as well, where they are ours. */
  freed(): Promise<void>;
  /** Whether the `major:minor` of a table are ours. */
  isOn(device: string, what: 'data' | 'metadata'): Promise<boolean>;
}

/** Two sparse files, `data` and `metadata`, through loop devices that go with the pool. */
export class LoopBacking implements PoolBacking {
  readonly data: string;
  readonly metadata: string;
  #sizes: PoolSizes;

  constructor(home: string, sizes: PoolSizes) {
    this.data = join(home, 'data');
    this.metadata = join(home, 'metadata');
    this.#sizes = sizes;
  }

  async dataSize(): Promise<number> {
    return this.#sizes.data;
  }

  async refuseUnlessNew(): Promise<void> {}

  async wipe(): Promise<void> {
    for (const what of ['data', 'metadata'] as const) {
      await rm(this[what], { force: true });
      await using file = await open(this[what], 'wx', 0o600);
      await file.truncate(this.#sizes[what]);
      await file.sync();
    }
  }

  /** The kernel takes a larger metadata device as it finds it; the data's size is in the pool's table. */
  async grow(sizes: PoolSizes): Promise<void> {
    for (const what of ['data', 'metadata'] as const) {
      await using file = await open(this[what], 'r+');
      if ((await file.stat()).size >= sizes[what]) continue;
      await file.truncate(sizes[what]);
      await file.sync();
    }
    this.#sizes = sizes;
  }

  async attach(undo: Cleanup) {
    const metadata = await attachLoop(this.metadata);
    undo.push(() => metadata.handle.close());
    const data = await attachLoop(this.data);
    undo.push(() => data.handle.close());
    return { metadata, data };
  }

  // They detach with their last user. udev may be that, which looks at a device that was written to.
  async freed(): Promise<void> {
    const deadline = Date.now() + detachMs;
    for (const file of [this.data, this.metadata]) {
      while ((await findLoops(file)).length > 0 && Date.now() < deadline) await sleep(20);
    }
  }

  async isOn(device: string, what: 'data' | 'metadata'): Promise<boolean> {
    const loops = await findLoops(this[what]);
    return loops.some(({ major, minor }) => `${major}:${minor}` === device);
  }
}

/** Two block devices that the host's owner gave us whole: `dm.datadev` and `dm.metadatadev`. */
export class DeviceBacking implements PoolBacking {
  readonly data: string;
  readonly metadata: string;

  constructor({ data, metadata }: { readonly data: string; readonly metadata: string }) {
    this.data = data;
    this.metadata = metadata;
  }

  async dataSize(): Promise<number> {
    return (await readBlockDevice(this.data)).size;
  }

  async refuseUnlessNew(): Promise<void> {
    await readBlockDevice(this.data);
    await readBlockDevice(this.metadata);
    await using device = await open(this.metadata);
    const { buffer } = await device.read(Buffer.alloc(superblock), 0, superblock, 0);
    if (buffer.every((byte) => byte === 0)) return;
    throw new HullError(
      `Cannot make a thin pool on ${JSON.stringify(this.metadata)}: its first ${superblock} bytes are not zero, so somebody may have data on it`,
      { kind: 'conflict', hint: `If nobody has: dd if=/dev/zero of=${this.metadata} bs=4096 count=1` },
    );
  }

  async wipe(): Promise<void> {
    await using device = await open(this.metadata, 'r+');
    await device.write(Buffer.alloc(superblock), 0, superblock, 0);
    await device.sync();
  }

  async grow(): Promise<void> {}

  async attach() {
    return { metadata: await readBlockDevice(this.metadata), data: await readBlockDevice(this.data) };
  }

  async freed(): Promise<void> {}

  async isOn(device: string, what: 'data' | 'metadata'): Promise<boolean> {
    const { major, minor } = await readBlockDevice(this[what]);
    return `${major}:${minor}` === device;
  }
}

/** How long loop devices may be looked at by others after the pool has gone. */
const detachMs = 5000;
/** The kernel makes a pool where the metadata's first block is zero, and opens one elsewhere. */
const superblock = 4096;
