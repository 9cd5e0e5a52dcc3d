/** linux/mount.h */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  REMOUNT: 32,
  MANDLOCK: 64,
  DIRSYNC: 128,
  NOSYMFOLLOW: 256,
  NOATIME: 1024,
  NODIRATIME: 2048,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  SILENT: 32768,
  POSIXACL: 1 << 16,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  I_VERSION: 1 << 23,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const;

export interface MountOptions {
  /** MS_* for mount(2), without propagation. */
  readonly flags: number;
  /** MS_* of the propagation changes, in order; mount(2) takes each in a call of its own. */
  readonly propagation: readonly number[];
  /** Flags that a word cleared (`rw`, `suid`): for a bind mount, whose source may have them. */
  readonly cleared: number;
  /** MOUNT_ATTR_* for a whole tree (`rro`, `rnosuid`), by mount_setattr(2) with AT_RECURSIVE. */
  readonly recursive: Attributes;
  /** Ids are mapped: of this mount, or of the tree. */
  readonly idmap: 'idmap' | 'ridmap' | undefined;
  /** A tmpfs that begins with what the folder below it has. */
  readonly copyUp: boolean;
  /** What is left for the file system, joined by commas. */
  readonly data: string;
}

export interface Attributes {
  readonly set: number;
  readonly clear: number;
}

/** Words that set (first) or clear flags. */
const flagWords: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  defaults: [0, 0],
  ro: [MS.RDONLY, 0],
  rw: [0, MS.RDONLY],
  nosuid: [MS.NOSUID, 0],
  suid: [0, MS.NOSUID],
  nodev: [MS.NODEV, 0],
  dev: [0, MS.NODEV],
  noexec: [MS.NOEXEC, 0],
  exec: [0, MS.NOEXEC],
  sync: [MS.SYNCHRONOUS, 0],
  async: [0, MS.SYNCHRONOUS],
  dirsync: [MS.DIRSYNC, 0],
  remount: [MS.REMOUNT, 0],
  mand: [MS.MANDLOCK, 0],
  nomand: [0, MS.MANDLOCK],
  nosymfollow: [MS.NOSYMFOLLOW, 0],
  symfollow: [0, MS.NOSYMFOLLOW],
  noatime: [MS.NOATIME, MS.RELATIME | MS.STRICTATIME],
  atime: [0, MS.NOATIME],
  nodiratime: [MS.NODIRATIME, 0],
  diratime: [0, MS.NODIRATIME],
  relatime: [MS.RELATIME, MS.NOATIME | MS.STRICTATIME],
  norelatime: [0, MS.RELATIME],
  strictatime: [MS.STRICTATIME, MS.NOATIME | MS.RELATIME],
  nostrictatime: [0, MS.STRICTATIME],
  lazytime: [MS.LAZYTIME, 0],
  nolazytime: [0, MS.LAZYTIME],
  iversion: [MS.I_VERSION, 0],
  noiversion: [0, MS.I_VERSION],
  acl: [MS.POSIXACL, 0],
  noacl: [0, MS.POSIXACL],
  silent: [MS.SILENT, 0],
  loud: [0, MS.SILENT],
  bind: [MS.BIND, 0],
  rbind: [MS.BIND | MS.REC, 0],
};

/** runc's and the runtime specification's words for a whole tree: `r` before the word for one mount. */
const recursiveWords: readonly string[] = [
  'ro rw nosuid suid nodev dev noexec exec noatime atime nodiratime diratime relatime norelatime strictatime',
  'nostrictatime nosymfollow symfollow',
].flatMap((words) => words.split(' ').map((word) => `r${word}`));

const propagationWords: Readonly<Record<string, number>> = {
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  unbindable: MS.UNBINDABLE,
  runbindable: MS.UNBINDABLE | MS.REC,
};

/** Every word that is not left to the file system. */
export const mountOptionWords: readonly string[] = [
  ...Object.keys(flagWords),
  ...Object.keys(propagationWords),
  ...recursiveWords,
  'idmap',
  'ridmap',
  'tmpcopyup',
];

/** fstab words (mount(8), fstab(5)) as mount(2) takes them. A later word wins over an earlier one. */
export function parseMountOptions(words: readonly string[]): MountOptions {
  const own = new Flags();
  const tree = new Flags();
  const propagation: number[] = [];
  const data: string[] = [];
  let idmap: MountOptions['idmap'];
  let copyUp = false;
  for (const word of words) {
    const flag = flagWords[word];
    const change = propagationWords[word];
    if (flag) own.change(flag);
    else if (change !== undefined) propagation.push(change);
    else if (recursiveWords.includes(word)) tree.change(flagWords[word.slice(1)] ?? [0, 0]);
    else if (word === 'idmap' || word === 'ridmap') idmap = word;
    else if (word === 'tmpcopyup') copyUp = true;
    else data.push(word);
  }
  return {
    flags: own.set,
    cleared: own.cleared,
    propagation,
    recursive: mountAttributes(tree.set, tree.cleared),
    idmap,
    copyUp,
    data: data.join(','),
  };
}

class Flags {
  set = 0;
  cleared = 0;

  change([set, clear]: readonly [set: number, clear: number]): void {
    this.set = (this.set & ~clear) | set;
    this.cleared = (this.cleared & ~set) | clear;
  }
}

/** `MS_BIND|MS_REC`, or `0`. */
export function mountFlagsText(flags: number): string {
  let text = flagTexts.get(flags);
  if (text === undefined) {
    const names = Object.entries(MS).filter(([, value]) => (flags & value) !== 0);
    text = names.map(([name]) => `MS_${name}`).join('|') || '0';
    flagTexts.set(flags, text);
  }
  return text;
}

/** A program has few different ones, a hundred times. */
const flagTexts = new Map<number, string>();

const attributes: readonly (readonly [flag: number, attribute: number])[] = [
  [MS.RDONLY, 0x1],
  [MS.NOSUID, 0x2],
  [MS.NODEV, 0x4],
  [MS.NOEXEC, 0x8],
  [MS.NOATIME, 0x10],
  [MS.STRICTATIME, 0x20],
  [MS.NODIRATIME, 0x80],
  [MS.NOSYMFOLLOW, 0x200000],
];

/** Of mount_setattr(2): the per-mount flags that are set and cleared. The atime mode is one value: it is cleared to be changed. */
export function mountAttributes(flags: number, cleared = 0): Attributes {
  const atimeModes = MS.NOATIME | MS.STRICTATIME | MS.RELATIME;
  const mode = ((flags | cleared) & atimeModes) !== 0 ? 0x70 : 0;
  return { set: attributesOf(flags), clear: (attributesOf(cleared) & ~0x70) | mode };
}

function attributesOf(flags: number): number {
  let sum = 0;
  if (flags !== 0) for (const [flag, attribute] of attributes) if ((flags & flag) !== 0) sum |= attribute;
  return sum;
}
