import type { Stand } from '../support/stand.ts';

/**
 * Everything that hull's store has, as sorted lines: files of images, records, layers and containers by their names, and the numbers
 * of the thin devices, asked of the pool's own metadata (thin-provisioning.rst, "reserve_metadata_snap").
 */
export async function storeState(stand: Stand): Promise<readonly string[]> {
  const { dataRoot, driver } = stand.engine;
  const files = await stand.run('sh', '-c', listFiles, 'list', dataRoot, driver);
  const devices = driver === 'devicemapper' ? await stand.run('sh', '-c', listThinDevices) : '';
  return [...lines(files), ...lines(devices).map((number) => `thin device ${number}`)].sort();
}

/** Not below a layer: what is in it is compared by what containers see. */
const listFiles = `
cd "$1" && find images containers "$2/records" "$2/removing" -type f -not -path '*/removing/*/*' 2>/dev/null
find "$2/l" -mindepth 1 -maxdepth 1 2>/dev/null
true`;

const listThinDevices = `
set -e
pool=$(dmsetup ls --target thin-pool | cut -f1)
metadata=$(dmsetup table "$pool" | cut -d' ' -f4)
dmsetup message "$pool" 0 reserve_metadata_snap
trap 'dmsetup message "$pool" 0 release_metadata_snap' EXIT
thin_ls --metadata-snap --no-headers --format DEV "/dev/block/$metadata"`;

function lines(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}
