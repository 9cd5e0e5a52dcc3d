import { release } from 'node:os';
import { hullVersion } from '../../daemon/version.ts';
import { getJson } from '../api-client.ts';
import { fieldOf } from '../fields.ts';

/** Prints the client's version even where no daemon answers; that is then an error. */
export async function versionCommand(socketPath: string): Promise<void> {
  console.log(`client  ${hullVersion}  node ${process.version}  kernel ${release()}`);
  const daemon = await getJson(socketPath, '/version');
  const [version, api, node, kernel] = ['Version', 'ApiVersion', 'NodeVersion', 'KernelVersion'].map((name) =>
    fieldOf(daemon, name),
  );
  console.log(`daemon  ${version}  API ${api}  node ${node}  kernel ${kernel}`);
}
