import type { Ssh } from '../ssh/ssh.ts';
import { DaemonControl } from './daemon-control.ts';
import type { Engine, EngineControl, EngineDriver, EngineInstallOptions, EngineProgram } from './engine.ts';

const dockerd = '/usr/sbin/dockerd';

/**
 * Debian's own Docker in the guest, as a reference: a scenario that fails here says something about the scenario. It is
 * installed on demand, and its services stay down: the daemon is started as hull's is, with folders of its own.
 */
export class DockerEngine implements Engine {
  readonly name = 'docker';

  async build(): Promise<void> {}

  async install(ssh: Ssh, { progress, signal }: EngineInstallOptions): Promise<EngineProgram> {
    const there = await ssh.run(['test', '-x', dockerd], { signal });
    if (there.exitCode !== 0) {
      progress('install docker.io from Debian');
      await ssh.ok(['sh', '-c', installScript], { signal });
    }
    await ssh.run(['systemctl', 'stop', 'docker.socket', 'docker.service', 'containerd.service'], { signal });
    const version = (await ssh.ok([dockerd, '--version'], { signal })).trim();
    return { engine: this.name, executable: dockerd, argv: [dockerd], environment: {}, version };
  }

  async finish(): Promise<void> {}

  open(ssh: Ssh, program: EngineProgram, driver: EngineDriver, ping: () => Promise<void>): EngineControl {
    const dataRoot = `/var/lib/seatrial/docker/${driver.name}`;
    const execRoot = `/run/seatrial/docker/${driver.name}`;
    const socket = `/run/seatrial/docker-${driver.name}.sock`;
    const storage = Object.entries(driver.options).flatMap(([key, value]) => [
      '--storage-opt',
      `${key}=${value}`,
    ]);
    const roots = ['--data-root', dataRoot, '--exec-root', execRoot, '-H', `unix://${socket}`];
    const plain = ['--bridge=none', '--iptables=false', '--live-restore', '--pidfile', `${execRoot}.pid`];
    return new DaemonControl(
      ssh,
      {
        name: this.name,
        driver: driver.name,
        environment: program.environment,
        argv: [...program.argv, '-s', driver.name, ...storage, ...roots, ...plain],
        executable: program.executable,
        dataRoot,
        execRoot,
        socket,
        logFile: `/var/log/seatrial/docker-${driver.name}.log`,
        cgroup: 'docker',
        // What Docker and its containerd keep there changes with every container and outlives it by design.
        stateFolders: [
          {
            path: dataRoot,
            opaque: ['overlay2', 'vfs', 'image', 'buildkit'],
            ignore: ['containerd/.*', 'network/.*', 'containers/?.*'],
          },
          { path: execRoot, ignore: ['.*'] },
        ],
        startMs: 120_000,
      },
      ping,
    );
  }
}

/** Without starting it: a service that once ran leaves a bridge and rules behind that are not the scenario's. */
const installScript = `
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
apt-get update -q && apt-get install -q -y --no-install-recommends docker.io apparmor
status=$?
rm -f /usr/sbin/policy-rc.d
exit $status
`;
