import { request } from 'node:http';

/** Settles when a Docker API answers `GET /_ping` on a unix socket with 200. Rejects otherwise, after 5 s at the latest. */
export function ping(socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(5000);
    const call = request({ socketPath, path: '/_ping', signal, agent: false }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`ping answered ${response.statusCode}, wanted 200`));
      });
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}
