import { readFlags } from '../dockerfile/flags.ts';
import type { BuildStage, CopyRequest } from '../stage.ts';
import { performCopy, readCopy } from './copy.ts';
import type { InstructionType } from './instruction.ts';

/** `ADD [--chown= --chmod=] source … destination`: as COPY, with archives unpacked and URLs fetched. */
export const add: InstructionType<CopyRequest, BuildStage> = {
  read(line) {
    const later = ['from', 'link', 'checksum', 'keep-git-dir', 'exclude', 'unpack'];
    return readCopy(line, 'ADD', readFlags(line.name, line.flags, ['chown', 'chmod'], later));
  },
  perform: performCopy,
};
