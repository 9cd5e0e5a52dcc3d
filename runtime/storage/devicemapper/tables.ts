import { HullError } from '../../base/errors.ts';
import type { DmTarget } from '../../kernel/device-mapper.ts';

const sector = 512;
/** Blocks below which the kernel sends an event; nobody waits for it, `dm.min_free_space` looks for itself. */
const lowWater = 512;

interface Device {
  readonly major: number;
  readonly minor: number;
}

/** thin-provisioning.rst, "thin-pool", Constructor. Sizes in bytes. */
export function poolTable(
  { dataSize, blockSize }: { readonly dataSize: number; readonly blockSize: number },
  metadata: Device,
  data: Device,
): DmTarget {
  // Blocks need no zeroing: a file system never shows what it has not written. A full pool fails at once and does not
  // stop every container for a minute.
  const features = ['skip_block_zeroing', 'error_if_no_space'];
  return {
    start: 0n,
    length: BigInt(Math.floor(dataSize / sector)),
    type: 'thin-pool',
    params: [number(metadata), number(data), blockSize / sector, lowWater, features.length, ...features].join(
      ' ',
    ),
  };
}

/** thin-provisioning.rst, "thin", Constructor. */
export function thinTable(pool: Device, device: number, size: number): DmTarget {
  return {
    start: 0n,
    length: BigInt(Math.floor(size / sector)),
    type: 'thin',
    params: `${number(pool)} ${device}`,
  };
}

/** Blocks used and in all, and how the pool is. */
export interface PoolStatus {
  readonly transaction: number;
  readonly metadataUsed: number;
  readonly metadataTotal: number;
  readonly dataUsed: number;
  readonly dataTotal: number;
  readonly mode: 'rw' | 'ro' | 'out_of_data_space' | 'Fail';
  readonly needsCheck: boolean;
  /** Metadata block of the metadata snapshot that somebody holds, where there is one. */
  readonly heldRoot: number | undefined;
}

/**
 * thin-provisioning.rst, "thin-pool", Status:
 * `<transaction> <used>/<total metadata> <used>/<total data> <held root> ro|rw|out_of_data_space … needs_check|-`, or `Fail`.
 */
export function parsePoolStatus(name: string, params: string): PoolStatus {
  if (params.trim() === 'Fail') {
    return {
      transaction: 0,
      metadataUsed: 0,
      metadataTotal: 0,
      dataUsed: 0,
      dataTotal: 0,
      mode: 'Fail',
      needsCheck: true,
      heldRoot: undefined,
    };
  }
  const match = /^(\d+) (\d+)\/(\d+) (\d+)\/(\d+) (\d+|-) (\S+)(.*)$/.exec(params.trim());
  const mode = match?.[7];
  if (!match || (mode !== 'rw' && mode !== 'ro' && mode !== 'out_of_data_space')) {
    throw new HullError(
      `Cannot read the status of pool ${name}: found ${JSON.stringify(params)}, wanted "<transaction> <used>/<total> …"`,
      { kind: 'internal' },
    );
  }
  const [transaction = 0, metadataUsed = 0, metadataTotal = 0, dataUsed = 0, dataTotal = 0] = match
    .slice(1, 6)
    .map(Number);
  const needsCheck = (match[8] ?? '').split(' ').includes('needs_check');
  const heldRoot = match[6] === '-' ? undefined : Number(match[6]);
  return { transaction, metadataUsed, metadataTotal, dataUsed, dataTotal, mode, needsCheck, heldRoot };
}

function number({ major, minor }: Device): string {
  return `${major}:${minor}`;
}
