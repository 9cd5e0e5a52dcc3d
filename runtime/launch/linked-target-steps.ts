import { AT_FDCWD, flagsOf, MODE, named, OPEN } from './constants.ts';
import { quote } from './mount-steps.ts';
import { pairOf } from './pair-steps.ts';
import type { AreaPart, Cell, Label } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

/** Bytes of a path, the NUL included (PATH_MAX). */
const longestPath = 4096;
const mostLinks = 40;

/**
 * Mount points that are links to nothing, or are behind such links: what they lead to is made, as runc and Docker do. The kernel
 * follows no link to make a folder, so the path is walked here, a name at a time from the confined root; links and `..` stay inside
 * of it. What cannot be made shows at the mount.
 *
 * The walk is in the program once, behind all that goes there.
 */
export class LinkedTargets {
  readonly #p: ProgramBuilder;
  readonly #places: { readonly path: Cell; readonly done: Label }[] = [];
  readonly #path: Cell;
  /** 0 where it is to be a folder. */
  readonly #isFile: Cell;
  readonly #makeFolder: Label;
  readonly #make: Label;

  constructor(p: ProgramBuilder) {
    this.#p = p;
    this.#path = p.cell('mount point behind links');
    this.#isFile = p.cell('mount point is a file');
    this.#makeFolder = p.label('make a folder behind links');
    this.#make = p.label('make a mount point behind links');
  }

  /** A folder, or where the cell is not 0 a file. */
  complete(path: string, isFile?: Cell): void {
    const p = this.#p;
    const [absent, done] = [p.label(`${path} leads to nothing`), p.label(`${path} leads somewhere`)];
    const pointer = p.pointer(path, p.text(path));
    this.#places.push({ path: pointer, done });
    const type = named(1, 'STATX_TYPE');
    p.call('statx', [AT_FDCWD, p.text(path), 0, type, address(p.buffer('statx', 256))], {
      what: `look where ${quote(path)} leads`,
      errors: { ENOENT: absent, other: done },
      zero: done,
    });
    p.place(absent);
    p.copy(pointer, this.#path);
    if (isFile) p.copy(isFile, this.#isFile);
    p.goto(isFile ? this.#make : this.#makeFolder);
    p.place(done);
  }

  /** Where the walk stands: nothing is completed after it. */
  place(): void {
    const p = this.#p;
    if (this.#places.length === 0) return;
    const over = p.label('mount points made');
    p.goto(over);
    p.place(this.#makeFolder);
    p.set(this.#isFile, 0);
    p.place(this.#make);
    walk(p, this.#path, this.#isFile);
    for (const { path, done } of this.#places) p.local(this.#path, { minus: path, zero: done });
    p.place(over);
  }
}

/**
 * Makes what is missing of a path. Names are cut out of it, and links put in their places, by way of a pipe: the interpreter
 * itself can copy no bytes.
 */
function walk(p: ProgramBuilder, path: Cell, isFile: Cell): void {
  const [rest, end, behind] = [
    p.cell('rest of the path'),
    p.cell('end of the name'),
    p.cell('end of the path'),
  ];
  const [size, length, links] = [p.cell('size'), p.cell('length'), p.cell('links left')];
  const [folder, inner] = [p.cell('folder'), p.cell('inner folder')];
  const [name, target] = [p.buffer('name', longestPath), p.buffer('link target', longestPath)];
  // Bytes are looked at eight at a time.
  const changed = p.buffer('path', longestPath + 8);
  const [next, missing, makeFolder, enter, leave] = [
    p.label('next name'),
    p.label('missing'),
    p.label('make a folder'),
    p.label('enter'),
    p.label('leave'),
  ];
  const what = 'follow links to a mount point';
  const stop = { what, errors: leave };
  const open = (from: typeof AT_FDCWD | Cell, part: AreaPart, result: Cell) =>
    p.call('openat', [from, part, flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], { ...stop, result });

  p.copy(path, rest);
  p.set(links, mostLinks);
  const pipe = pairOf(p, 'pipe2', 'names');
  open(AT_FDCWD, p.text('/'), folder);

  p.place(next);
  pass(p, rest, '/');
  onByte(p, rest, '\0', leave);
  p.copy(rest, end);
  findEnd(p, end, ['/', '\0']);
  p.local(end, { minus: rest, result: size });
  p.local(size, { minus: longestPath, zero: leave, positive: leave });
  p.call('write', [pipe.write, rest, size], stop);
  p.call('write', [pipe.write, p.text(''), 1], stop);
  p.call('read', [pipe.read, address(name), longestPath], stop);
  p.call('readlinkat', [folder, address(name), address(target), longestPath], {
    what,
    result: size,
    errors: { ENOENT: missing, EINVAL: enter, other: leave },
  });

  p.local(links, { minus: 1, result: links, zero: leave });
  p.copy(end, behind);
  findEnd(p, behind, ['\0']);
  p.local(behind, { minus: end, result: length });
  p.local(length, { minus: -1, result: length });
  const sum = p.cell('sum');
  p.add(size, length, sum);
  p.local(sum, { minus: longestPath, positive: leave });
  p.call('write', [pipe.write, address(target), size], stop);
  p.call('write', [pipe.write, end, length], stop);
  p.call('read', [pipe.read, address(changed), longestPath], stop);
  p.copy(p.pointer('changed path', address(changed)), rest);
  const absolute = p.label('absolute link');
  onByte(p, rest, '/', absolute);
  p.goto(next);
  p.place(absolute);
  p.call('close', [folder]);
  open(AT_FDCWD, p.text('/'), folder);
  p.goto(next);

  p.place(missing);
  const last = p.label('last name');
  p.local(isFile, { zero: makeFolder });
  onByte(p, end, '\0', last);
  p.place(makeFolder);
  p.call('mkdirat', [folder, address(name), 0o755], { what, errors: { EEXIST: 'next', other: leave } });
  p.place(enter);
  open(folder, address(name), inner);
  p.call('close', [folder]);
  p.copy(inner, folder);
  p.copy(end, rest);
  p.goto(next);
  p.place(last);
  const file = named(MODE.FILE | 0o644, 'S_IFREG|0644');
  p.call('mknodat', [folder, address(name), file, 0], stop);

  p.place(leave);
  for (const descriptor of [folder, pipe.read, pipe.write]) p.call('close', [descriptor], { errors: 'next' });
}

/** Goes there where the cell points at this byte. */
function onByte(p: ProgramBuilder, pointer: Cell, byte: string, there: Label): void {
  p.local(pointer, { indirect: true, mask: 0xffn, minus: byte.charCodeAt(0), zero: there });
}

/** Moves the pointer on to the first byte that is another one. */
function pass(p: ProgramBuilder, pointer: Cell, byte: string): void {
  const [over, again] = [p.label('pass on'), p.label('look again')];
  p.goto(again);
  p.place(over);
  p.local(pointer, { minus: -1, result: pointer });
  p.place(again);
  onByte(p, pointer, byte, over);
}

/** Moves the pointer on to the first of these bytes. */
function findEnd(p: ProgramBuilder, pointer: Cell, bytes: readonly string[]): void {
  const [again, found] = [p.label('look further'), p.label('found')];
  p.place(again);
  for (const byte of bytes) onByte(p, pointer, byte, found);
  p.local(pointer, { minus: -1, result: pointer });
  p.goto(again);
  p.place(found);
}
