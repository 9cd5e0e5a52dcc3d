import { Command, CommanderError, Option } from 'commander';
import { hullVersion } from '../daemon/version.ts';
import { defaultSocket } from './defaults.ts';
import {
  collect,
  parseBytes,
  parseCgroupPath,
  parseExecOption,
  parseHost,
  parseStorageOption,
} from './options.ts';
import { volumeProgram } from './volume-program.ts';

/** The `hull` command. What a command needs is imported when it runs: start-up is felt in emulated guests. */
function makeProgram(): Command {
  const program = new Command('hull')
    .description('hull: a container runtime with the Docker Engine API')
    .version(hullVersion, '-v, --version')
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText(
      'after',
      `
hull oci … is an OCI runtime with runc's commands (hull oci --help).
Everything that is not here, the docker client does:
  docker -H unix://${defaultSocket} run --rm busybox true`,
    );

  program
    .command('daemon')
    .description('serve the Docker Engine API on a unix socket until SIGTERM or SIGINT')
    .option('--data-root <folder>', 'lasting state: images, containers, layers', '/var/lib/hull')
    .option('--exec-root <folder>', 'state of this boot, on a tmpfs', '/run/hull')
    .addOption(hostOption('socket to listen on'))
    .option(
      '-s, --storage-driver <name>',
      'overlay, aufs, btrfs, zfs, devicemapper or vfs (default: the one that has layers, else the first that works)',
    )
    .option(
      '--storage-driver-order <names>',
      'the drivers to try, as overlay,btrfs,vfs; or classic for aufs,btrfs,devicemapper,overlay,vfs',
    )
    .option(
      '--storage-opt <key=value>',
      'option of the storage driver; may be repeated',
      parseStorageOption,
      new Map(),
    )
    .option(
      '--insecure-registry <host[:port]|network>',
      'registry without a known certificate, or that speaks plain HTTP; may be repeated (127.0.0.0/8 and ::1 always are)',
      collect,
      [],
    )
    .option(
      '--cgroup-parent <path>',
      'the cgroup that those of the containers are made below; with systemd a slice (system.slice)',
      parseCgroupPath,
    )
    .option(
      '--exec-opt <key=value>',
      'native.cgroupdriver=cgroupfs (hull makes cgroups itself) or systemd (each is a scope)',
      parseExecOption,
    )
    .option('-p, --pidfile <file>', 'file for the process id')
    .option('-D, --debug', 'log one line per request, and more', false)
    .action(async (flags) => {
      const { daemonCommand } = await import('./commands/daemon.ts');
      await daemonCommand(flags);
    });

  program
    .command('version')
    .description('show the versions of client and daemon')
    .addOption(hostOption())
    .action(async ({ host }) => {
      const { versionCommand } = await import('./commands/version.ts');
      await versionCommand(host);
    });

  program
    .command('info')
    .description('show what the daemon runs on and with')
    .addOption(hostOption())
    .action(async ({ host }) => {
      const { infoCommand } = await import('./commands/info.ts');
      await infoCommand(host);
    });

  program
    .command('pull <image>')
    .description('pull an image, or all tags of a repository, from a registry')
    .option('--platform <os/arch/variant>', 'other than this machine’s')
    .option('-a, --all-tags', 'all tags of the repository', false)
    .option('-q, --quiet', 'no progress', false)
    .addOption(hostOption())
    .action(async (image, flags) => {
      const { pullCommand } = await import('./commands/transfer.ts');
      await pullCommand(image, flags);
    });

  program
    .command('push <image>')
    .description('push an image, or all local tags of a repository, to its registry')
    .option('-a, --all-tags', 'all local tags of the repository', false)
    .option('-q, --quiet', 'no progress', false)
    .addOption(hostOption())
    .action(async (image, flags) => {
      const { pushCommand } = await import('./commands/transfer.ts');
      await pushCommand(image, flags);
    });

  program
    .command('build <context>')
    .description('build an image from a Dockerfile; the context is a folder, or - for standard input')
    .option('-f, --file <path>', 'the Dockerfile (default: Dockerfile in the context); - for standard input')
    .option('-t, --tag <name[:tag]>', 'name for the image; may be repeated', collect, [])
    .option('--target <stage>', 'the stage to end with')
    .option('--build-arg <name[=value]>', 'for an ARG; may be repeated', collect, [])
    .option('--label <name=value>', 'label for the image; may be repeated', collect, [])
    .option('--no-cache', 'make every step anew')
    .option('--cache-from <image>', 'image whose steps count as made; may be repeated', collect, [])
    .option('--pull', 'pull base images even where they are here', false)
    .option('--no-rm', 'keep the containers of steps that succeeded')
    .option('--force-rm', 'remove the container of a step that failed, too', false)
    .option('-q, --quiet', 'print the image’s id alone', false)
    .option('--iidfile <file>', 'write the image’s id to it')
    .option('--platform <os/arch>', 'this machine’s is the only one')
    .option('--network <mode>', 'of RUN')
    .option('-m, --memory <bytes>', 'limit of each RUN', parseBytes)
    .option('--memory-swap <bytes>', 'with swap; -1 for no limit', parseBytes)
    .option('-c, --cpu-shares <number>', 'weight of each RUN')
    .option('--cpu-period <µs>', 'scheduler period')
    .option('--cpu-quota <µs>', 'processor time in a period')
    .option('--cpuset-cpus <list>', 'processors of RUN, as 0-2')
    .option('--cpuset-mems <list>', 'memory nodes of RUN')
    .option('--shm-size <bytes>', 'of /dev/shm', parseBytes)
    .option('--ulimit <name=soft[:hard]>', 'of RUN; may be repeated', collect, [])
    .option('--security-opt <option>', 'of RUN; may be repeated', collect, [])
    .addOption(hostOption())
    .action(async (context, flags) => {
      const { buildCommand } = await import('./commands/build.ts');
      await buildCommand(context, flags);
    });

  program
    .command('images')
    .description('show the images as a tree: each below the one it was made upon')
    .option('--tree', 'the only view there is; for those who are used to asking for it')
    .addOption(hostOption())
    .action(async ({ host }) => {
      const { imagesCommand } = await import('./commands/images.ts');
      await imagesCommand(host);
    });

  program.addCommand(volumeProgram(hostOption));

  program
    .command('save <images...>')
    .description('write images as a tar archive that docker load and OCI tools read')
    .option('-o, --output <file>', 'instead of standard output')
    .addOption(
      new Option('--format <form>', 'oci: as Docker since 25; legacy: a folder for each layer')
        .choices(['oci', 'legacy'])
        .default('oci'),
    )
    .addOption(hostOption())
    .action(async (images, flags) => {
      const { saveCommand } = await import('./commands/images.ts');
      await saveCommand(images, flags);
    });

  program
    .command('explain <container>')
    .description('print the start of a container, system call by system call, without starting it')
    .addOption(hostOption())
    .action(async (container, { host }) => {
      const { explainCommand } = await import('./commands/explain.ts');
      await explainCommand(host, container);
    });

  return program;
}

function hostOption(text = 'socket of the daemon'): Option {
  return new Option('-H, --host <unix:///path>', text)
    .argParser(parseHost)
    .default(defaultSocket, `unix://${defaultSocket}`);
}

/** Runs what process.argv says. Never rejects: the process's exit status tells. */
export async function main(): Promise<void> {
  // Its options are not commander's: podman and containerd write them in runc's ways.
  if (process.argv[2] === 'oci') {
    const { ociMain } = await import('../oci/main.ts');
    process.exit(await ociMain(process.argv.slice(3)));
  }
  // Whoever reads the output may stop (`| head`): then nobody is there to be told.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(1);
  });
  try {
    await makeProgram().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode;
    else {
      const { errorText } = await import('../base/log.ts');
      process.stderr.write(`hull: ${errorText(error)}\n`);
      // A build ends as the command that failed.
      const code = error instanceof Error && 'exitCode' in error ? error.exitCode : undefined;
      process.exitCode = typeof code === 'number' ? code : 1;
    }
  }
}

if (import.meta.main) void main();
