/**
 * Starts one host of hosts.yaml by hand: a fresh clone, gone afterwards.
 *
 *     node harness/hosts/shell.ts debian-13 -- uname -a     runs a command
 *     node harness/hosts/shell.ts debian-13                 keeps it running and says how to reach it
 */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createRunFolder, reapRuns } from '../cli/run-folder.ts';
import { loadHosts } from '../matrix/load-hosts.ts';
import { quote } from '../ssh/quote.ts';
import { defaultCacheDir } from './cache.ts';
import { createProviders } from './providers.ts';

const [name = '', separator, ...argv] = process.argv.slice(2);
const hosts = await loadHosts(fileURLToPath(new URL('../../hosts.yaml', import.meta.url)));
const definition = hosts.find((host) => host.name === name);
if (!definition || (separator !== undefined && separator !== '--')) {
  console.error(`usage: shell.ts <${hosts.map((host) => host.name).join('|')}> [-- command …]`);
  process.exit(2);
}
const provider = createProviders().get(definition.provider);
if (!provider) throw new Error(`Cannot start ${name}: no provider ${JSON.stringify(definition.provider)}`);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort(new Error(signal)));
const cacheDir = defaultCacheDir();
const runId = `shell-${randomBytes(4).toString('hex')}`;
const started = performance.now();
const progress = (message: string) => console.error(`${name}: ${message}`);
for (const left of await provider.reap({ cacheDir, progress })) progress(`removed ${left}`);
for (const left of await reapRuns(cacheDir)) progress(`removed ${left}`);
await using folder = await createRunFolder(cacheDir, runId);
const context = { cacheDir, runDir: folder.path, runId, signal: stop.signal, progress };
await using host = await provider.start(definition, context);
const phases = host.phases.map(({ name: phase, durationMs }) => `${phase} ${Math.round(durationMs)} ms`);
progress(
  `up after ${Math.round(performance.now() - started)} ms: ${phases.join(', ')}; ${host.facts.kernel}`,
);
if (argv.length > 0) {
  const result = await host.ssh.run(argv, { signal: stop.signal });
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  process.exitCode = result.exitCode ?? 255;
} else {
  const { port, username, host: address, privateKeyPath } = host.sshAddress;
  const options = [
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
    '-o',
    'LogLevel=ERROR',
  ];
  console.log(quote(['ssh', '-i', privateKeyPath, ...options, '-p', String(port), `${username}@${address}`]));
  progress('Ctrl-C ends it');
  await new Promise<void>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve());
    host.broken.addEventListener('abort', () => {
      progress(String(host.broken.reason));
      resolve();
    });
  });
}
