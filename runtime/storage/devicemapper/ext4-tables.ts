/** Where an ext4 file system has its inodes; numbers of bytes count from the start of its device. */
export interface Ext4Tables {
  /** The superblock as it was read: whatever happens to the file system, being mounted for writing above all, changes it. */
  readonly superblock: Buffer;
  readonly uuid: string;
  readonly inodeSize: number;
  readonly inodesPerGroup: number;
  /** By group. */
  readonly groups: readonly InodeTable[];
}

export interface InodeTable {
  /** Byte of the first inode. */
  readonly start: number;
  /** Inodes from the first on that are or were in use; the kernel has not written those behind them. */
  readonly used: number;
}

export type ReadBytes = (offset: number, length: number) => Promise<Buffer>;

/**
 * The inode tables of a file system that is not mounted for writing and was unmounted cleanly, or why they cannot be told, as the end of
 * a sentence. Whatever is not known here is a reason. Documentation/filesystems/ext4: super.rst, group_descr.rst
 */
export async function readExt4Tables(read: ReadBytes): Promise<Ext4Tables | string> {
  const superblock = await read(superblockOffset, superblockSize);
  const why = whyNotReadable(superblock);
  if (why !== undefined) return why;
  const word = (offset: number) => superblock.readUInt32LE(offset);
  const blockSize = 1024 << word(0x18);
  const [firstBlock, blocksPerGroup, inodesPerGroup] = [word(0x14), word(0x20), word(0x28)];
  const inodeSize = superblock.readUInt16LE(0x58);
  const is64bit = (word(0x60) & incompatible['64bit']) !== 0;
  const blocks = word(0x04) + (is64bit ? word(0x150) * 2 ** 32 : 0);
  const groups = Math.ceil((blocks - firstBlock) / blocksPerGroup);
  const descriptorSize = is64bit ? superblock.readUInt16LE(0xfe) : 32;
  if (groups * inodesPerGroup !== word(0x00) || word(0x00) > mostInodes)
    return `it has ${word(0)} inodes in ${groups} groups of ${inodesPerGroup}`;
  if (descriptorSize < (is64bit ? 64 : 32) || descriptorSize > 1024)
    return `its group descriptors have ${descriptorSize} bytes`;
  if (inodeSize < 128 || inodeSize > blockSize || blockSize % inodeSize !== 0)
    return `its inodes have ${inodeSize} bytes`;
  const descriptors = await read((firstBlock + 1) * blockSize, groups * descriptorSize);
  const counted = (word(0x64) & (readOnlyCompatible.gdt_csum | readOnlyCompatible.metadata_csum)) !== 0;
  return {
    superblock,
    uuid: superblock.toString('hex', 0x68, 0x78),
    inodeSize,
    inodesPerGroup,
    groups: Array.from({ length: groups }, (_, group) => {
      const at = descriptors.subarray(group * descriptorSize, (group + 1) * descriptorSize);
      const block = at.readUInt32LE(0x08) + (is64bit ? at.readUInt32LE(0x28) * 2 ** 32 : 0);
      const unused = at.readUInt16LE(0x1c) + (is64bit ? at.readUInt16LE(0x32) * 2 ** 16 : 0);
      const uninitialized = (at.readUInt16LE(0x12) & 1) !== 0;
      const free = uninitialized ? inodesPerGroup : Math.min(unused, inodesPerGroup);
      return { start: block * blockSize, used: counted ? inodesPerGroup - free : inodesPerGroup };
    }),
  };
}

function whyNotReadable(superblock: Buffer): string | undefined {
  const word = (offset: number) => superblock.readUInt32LE(offset);
  if (superblock.readUInt16LE(0x38) !== 0xef53) return 'it is not ext4';
  if (word(0x4c) !== 1) return `it is of ext4's revision ${word(0x4c)}`;
  // Mounted for writing, or not unmounted since: the journal has what the tables lack. Without a journal the state tells it.
  if ((word(0x60) & recover) !== 0) return 'its journal has to be replayed';
  const state = superblock.readUInt16LE(0x3a);
  if (state !== 1) return `its state is ${state}`;
  if (word(0xe8) !== 0) return 'it has orphans';
  for (const [what, offset, known, needed] of [
    ['compatible', 0x5c, compatible, 0],
    ['incompatible', 0x60, incompatible, incompatible.filetype],
    ['read-only compatible', 0x64, readOnlyCompatible, 0],
  ] as const) {
    const found = word(offset);
    const all = Object.values(known).reduce((sum, bit) => sum | bit, 0);
    if ((found & ~all) === 0 && (found & needed) === needed) continue;
    return `its ${what} features are 0x${found.toString(16)}`;
  }
  return undefined;
}

const superblockOffset = 1024;
const superblockSize = 1024;
/** Each costs a byte of memory; mke2fs makes so many for a terabyte. */
const mostInodes = 2 ** 26;

/** INCOMPAT_RECOVER: set as long as it is mounted for writing, and until its journal is replayed. */
const recover = 0x4;
/** Features that change nothing of where inodes are and what in a tree comes from them. */
const compatible = {
  dir_prealloc: 0x1,
  has_journal: 0x4,
  ext_attr: 0x8,
  resize_inode: 0x10,
  dir_index: 0x20,
  orphan_file: 0x1000,
} as const;
// Not meta_bg, inline_data, ea_inode: descriptors, names and attributes are elsewhere then.
const incompatible = {
  filetype: 0x2,
  extents: 0x40,
  '64bit': 0x80,
  flex_bg: 0x200,
  csum_seed: 0x2000,
} as const;
const readOnlyCompatible = {
  sparse_super: 0x1,
  large_file: 0x2,
  huge_file: 0x8,
  gdt_csum: 0x10,
  dir_nlink: 0x20,
  extra_isize: 0x40,
  metadata_csum: 0x400,
} as const;
