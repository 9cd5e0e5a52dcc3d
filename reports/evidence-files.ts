import { open } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { Results } from './schema.ts';
import { printable } from './text.ts';

/** Logs are read from their end: that is where the failure is. Bytes. */
export const evidenceLimit = 128 * 1024;

export interface EvidenceFile {
  readonly path: string;
  /** Fit to show; at most `evidenceLimit` bytes of the end. */
  readonly text: string;
  /** Bytes left out before the text. */
  readonly omitted: number;
  /** Why there is no text: said in the report instead. */
  readonly problem?: string;
}

/** Each file that some result names, once, keyed by its path in the results. An unreadable one is told, never thrown. */
export async function readEvidenceFiles(
  results: Results,
  dir: string,
): Promise<ReadonlyMap<string, EvidenceFile>> {
  const paths = new Set(
    results.results.flatMap(({ evidence }) =>
      [evidence?.daemonLog, evidence?.console, evidence?.mountinfo].filter((path) => path !== undefined),
    ),
  );
  const files = new Map<string, EvidenceFile>();
  for (const path of paths) files.set(path, await readTail(path, dir));
  return files;
}

async function readTail(path: string, dir: string): Promise<EvidenceFile> {
  const full = resolve(dir, path);
  if (!full.startsWith(resolve(dir) + sep)) {
    return { path, text: '', omitted: 0, problem: `Cannot read ${path}: it is outside of the report folder` };
  }
  try {
    await using file = await open(full);
    const { size } = await file.stat();
    const omitted = Math.max(0, size - evidenceLimit);
    const buffer = Buffer.alloc(size - omitted);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, omitted);
    const text = buffer.toString('utf8', 0, bytesRead);
    // The cut may be inside a line, even inside a character: begin at the next line.
    const whole = omitted > 0 ? text.slice(text.indexOf('\n') + 1) : text;
    return { path, text: printable(whole), omitted };
  } catch (error) {
    return {
      path,
      text: '',
      omitted: 0,
      problem: `Cannot read ${path}: ${error instanceof Error ? error.message : error}`,
    };
  }
}
