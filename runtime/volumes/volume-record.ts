import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson } from '../base/atomic-file.ts';
import { HullError, ifExists } from '../base/errors.ts';
import type { Volume } from './volume.ts';

export interface StoredVolume extends Volume {
  /** Why its record cannot be used; then labels and options are not known. */
  readonly damage?: string;
}

/** Beside the volume's files; written once, before the volume has its name. */
export const volumeFile = 'volume.json';

/** Undefined where there is no such volume. */
export async function readVolume(root: string, name: string): Promise<StoredVolume | undefined> {
  const folder = join(root, name);
  const mountPoint = join(folder, '_data');
  const made = (await ifExists(stat(folder)))?.birthtime;
  if (!made) return undefined;
  const broken = (damage: string): StoredVolume => ({
    name,
    createdAt: made.toISOString(),
    labels: {},
    options: {},
    mountPoint,
    damage,
  });
  try {
    const value = await readJson(join(folder, volumeFile));
    if (!isRecord(value) || value.name !== name) return broken(`its ${volumeFile} is not a volume's record`);
    const { createdAt, labels, options } = value;
    return { name, createdAt, labels, options, mountPoint };
  } catch (error) {
    if (error instanceof HullError) return broken(error.message);
    throw error;
  }
}

type VolumeRecord = Pick<Volume, 'name' | 'createdAt' | 'labels' | 'options'>;

function isRecord(value: unknown): value is VolumeRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return (
    fields['format'] === 1 &&
    typeof fields['name'] === 'string' &&
    typeof fields['createdAt'] === 'string' &&
    isTexts(fields['labels']) &&
    isTexts(fields['options'])
  );
}

const isTexts = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((text) => typeof text === 'string');
