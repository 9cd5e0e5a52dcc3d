import koffi from 'koffi';
import { bindLibc, check } from './libc.ts';

const recvmsg = bindLibc<[number, Uint8Array, number]>('long recvmsg(int, void *, int)');
const sendmsg = bindLibc<[number, Uint8Array, number]>('long sendmsg(int, const void *, int)');
const getsockopt = bindLibc<[number, number, number, Uint8Array, Uint8Array]>(
  'int getsockopt(int, int, int, void *, void *)',
);

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SO_PEERCRED = 17;
const cmsgHeader = 16;

/** sendmsg(2) of bytes with descriptors over a unix socket. Kind of error: EPIPE where the other side is gone; never a signal. */
export function sendWithDescriptors(socket: number, data: Uint8Array, descriptors: readonly number[]): void {
  const length = cmsgHeader + 4 * descriptors.length;
  const control = Buffer.alloc(Math.ceil(length / 8) * 8);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, fd] of descriptors.entries()) control.writeInt32LE(fd, cmsgHeader + 4 * index);
  const noSignal = 0x4000;
  check(sendmsg(socket, message(data, descriptors.length === 0 ? Buffer.alloc(0) : control), noSignal), {
    syscall: 'sendmsg',
  });
}

/** recvmsg(2): the number of bytes (0: the other side is gone), and descriptors that came with them, close-on-exec. */
export function receiveWithDescriptors(
  socket: number,
  data: Uint8Array,
  most: number,
): { readonly length: number; readonly descriptors: readonly number[] } {
  const control = Buffer.alloc(cmsgHeader + Math.ceil((4 * most) / 8) * 8);
  const closeOnExec = 0x40000000;
  const length = check(recvmsg(socket, message(data, control), closeOnExec), { syscall: 'recvmsg' });
  const received = Number(control.readBigUInt64LE(0));
  const count = control.readInt32LE(12) === SCM_RIGHTS ? Math.max(0, (received - cmsgHeader) >> 2) : 0;
  return {
    length,
    descriptors: Array.from({ length: count }, (_, index) => control.readInt32LE(cmsgHeader + 4 * index)),
  };
}

/** Who is at the other end of a connected unix socket: SO_PEERCRED, unix(7). */
export function peerOf(socket: number): { readonly pid: number; readonly uid: number; readonly gid: number } {
  const bytes = Buffer.alloc(12);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length);
  check(getsockopt(socket, SOL_SOCKET, SO_PEERCRED, bytes, size), { syscall: 'getsockopt' });
  return { pid: bytes.readInt32LE(0), uid: bytes.readUInt32LE(4), gid: bytes.readUInt32LE(8) };
}

/** A struct msghdr; the buffers live as long as it. */
function message(data: Uint8Array, control: Uint8Array): Buffer {
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(koffi.address(data), 0);
  vector.writeBigUInt64LE(BigInt(data.byteLength), 8);
  const header = Object.assign(Buffer.alloc(56), { parts: [vector, data, control] });
  header.writeBigUInt64LE(koffi.address(vector), 16);
  header.writeBigUInt64LE(1n, 24);
  if (control.byteLength > 0) header.writeBigUInt64LE(koffi.address(control), 32);
  header.writeBigUInt64LE(BigInt(control.byteLength), 40);
  return header;
}
