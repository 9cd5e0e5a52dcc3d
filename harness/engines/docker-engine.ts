import { withoutDockerService } from '../provision/guest-packages.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { DaemonControl } from './daemon-control.ts';
import type { Engine, EngineControl, EngineDriver, EngineInstallOptions, EngineProgram } from './engine.ts';

const dockerd = '/usr/sbin/dockerd';

/**
 * Debian's own Docker in the guest, as a reference: a scenario that fails here says something about the scenario. Its
 * service never runs, not even in the boot of the image: the daemon is started as hull's is, with folders of its own.
 * containerd is Debian's service, and does not crash with the daemon.
 */
export class DockerEngine implements Engine {
  readonly name = 'docker';
  readonly needs = {
    packages: ['apparmor', 'docker.io'],
    kernelArgs: withoutDockerService,
  };
  readonly patience = 4;

  async build(): Promise<void> {}

  async install(ssh: Ssh, { signal }: EngineInstallOptions): Promise<EngineProgram> {
    await ssh.ok([dockerd, '--version'], { signal });
    return { engine: this.name, executable: dockerd, argv: [dockerd], environment: {} };
  }

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
        // What Docker keeps there changes with every container and outlives it by design.
        stateFolders: [
          {
            path: dataRoot,
            opaque: ['overlay2/(?!l$)[^/]+', 'vfs/dir/[^/]+', 'image', 'buildkit', 'containers/[^/]+'],
            // The probe of recursive read-only mounts leaves its folder.
            ignore: ['network/.*', 'tmp/moby-detect-rro.*'],
          },
          { path: execRoot, ignore: ['.*'] },
        ],
        noise: [
          { kind: 'socket', what: `unix socket ${execRoot}/`, because: 'its names are new with every start' },
        ],
        startMs: 120_000,
      },
      ping,
    );
  }
}
