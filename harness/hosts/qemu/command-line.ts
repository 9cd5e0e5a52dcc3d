import { type Accelerator, acceleratorArguments, acceleratorKernelWords } from './accelerator.ts';

/** What makes a machine: the part of the command line that a saved state depends on. */
export interface MachineShape {
  readonly accelerator: Accelerator['name'];
  readonly cpus: number;
  readonly memoryMiB: number;
  /** Words for the kernel besides the ones every guest gets. */
  readonly kernelArgs: readonly string[];
}

/** Where one machine has its things. */
export interface MachinePaths {
  readonly label: string;
  readonly kernel: string;
  readonly initrd: string;
  /** qcow2. */
  readonly disk: string;
  /** The file that is the guest's memory: `shared` writes into it, else copy on write. Undefined: anonymous memory. */
  readonly memory: { readonly path: string; readonly shared: boolean } | undefined;
  readonly console: string;
  /** Waits for a saved state instead of booting. */
  readonly incoming: boolean;
}

// A panic ends QEMU (`-action`), an oops is a panic: what runs on after one proves nothing.
const kernelWords = [
  'root=/dev/vda',
  'rw',
  'console=ttyS0',
  'net.ifnames=0',
  'panic=-1',
  'oops=panic',
  'random.trust_cpu=on',
  'systemd.show_status=no',
];

/** The control socket is inherited as this descriptor. */
export const qmpFd = 3;

export function qemuArguments(shape: MachineShape, paths: MachinePaths): readonly string[] {
  const { accelerator, cpus, memoryMiB, kernelArgs } = shape;
  const { memory } = paths;
  const size = `size=${memoryMiB}M`;
  return [
    ...['-name', paths.label],
    ...['-nodefaults', '-no-user-config', '-display', 'none'],
    ...acceleratorArguments(accelerator),
    ...['-machine', 'pc,memory-backend=ram,vmport=off', '-smp', String(cpus), '-m', `${memoryMiB}M`],
    '-object',
    memory
      ? `memory-backend-file,id=ram,${size},mem-path=${escaped(memory.path)},share=${memory.shared ? 'on' : 'off'}`
      : `memory-backend-ram,id=ram,${size}`,
    ...['-kernel', paths.kernel, '-initrd', paths.initrd],
    ...['-append', [...kernelWords, ...acceleratorKernelWords(accelerator), ...kernelArgs].join(' ')],
    // The host's page cache outlives a killed QEMU, so flushing to the host's disk would only take time.
    '-drive',
    `if=none,id=disk,format=qcow2,cache=unsafe,discard=unmap,file=${escaped(paths.disk)}`,
    ...['-device', 'virtio-blk-pci,drive=disk'],
    ...['-netdev', 'user,id=net,hostfwd=tcp:127.0.0.1:0-:22'],
    ...['-device', 'virtio-net-pci,netdev=net,romfile='],
    ...['-device', 'virtio-rng-pci', '-device', 'pvpanic', '-device', 'vmgenid,guid=auto'],
    ...['-chardev', `file,id=console,append=on,path=${escaped(paths.console)}`, '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=qmp,fd=${qmpFd}`, '-mon', 'chardev=qmp,mode=control'],
    ...['-action', 'reboot=shutdown,panic=shutdown'],
    ...(paths.incoming ? ['-incoming', 'defer'] : []),
  ];
}

/** QEMU's option lists are separated by commas. */
function escaped(path: string): string {
  return path.replaceAll(',', ',,');
}
