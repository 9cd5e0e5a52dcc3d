import { resolve } from 'node:path';
import { createLog, errorText } from '../../base/log.ts';
import { startDaemon } from '../../daemon/daemon.ts';
import { parseOrder } from '../../storage/open-driver.ts';

export interface DaemonFlags {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly host: string;
  readonly storageDriver?: string;
  readonly storageDriverOrder?: string;
  readonly storageOpt: ReadonlyMap<string, string>;
  readonly insecureRegistry: readonly string[];
  readonly cgroupParent?: string;
  readonly execOpt?: 'cgroupfs' | 'systemd';
  readonly pidfile?: string;
  readonly debug: boolean;
}

/** Runs until a signal. Ends with 0 when everything was given back, else with 1 and the reason in the log. */
export async function daemonCommand(flags: DaemonFlags): Promise<void> {
  // A closed log must not end the daemon.
  process.stderr.on('error', () => undefined);
  const log = createLog({
    level: flags.debug ? 'debug' : 'info',
    write: (line) => process.stderr.write(`${line}\n`),
  });
  process.umask(0o022);
  process.on('unhandledRejection', (error) => log.error('unhandled error', { error: errorText(error) }));
  const asked = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => asked.resolve(signal));
  try {
    const daemon = await startDaemon({
      dataRoot: resolve(flags.dataRoot),
      execRoot: resolve(flags.execRoot),
      socketPath: flags.host,
      storageDriver: flags.storageDriver,
      storageDriverOrder:
        flags.storageDriverOrder === undefined ? undefined : parseOrder(flags.storageDriverOrder),
      storageOptions: flags.storageOpt,
      insecureRegistries: flags.insecureRegistry,
      cgroupDriver: flags.execOpt,
      cgroupParent: flags.cgroupParent,
      pidfile: flags.pidfile === undefined ? undefined : resolve(flags.pidfile),
      debug: flags.debug,
      log,
    });
    const signal = await asked.promise;
    log.info('hull is stopping', { signal });
    await daemon.shutDown();
    log.info('hull has stopped');
    process.exit(0);
  } catch (error) {
    log.error('hull ends', { error });
    process.exit(1);
  }
}
