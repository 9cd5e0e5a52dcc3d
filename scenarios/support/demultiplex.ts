export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Takes apart what the Docker API sends for a container without a terminal: frames of one byte for the stream (1
 * stdout, 2 stderr), three of nothing, four for the length (big endian), data. A frame that is cut short is an error.
 */
export function demultiplex(data: Buffer): Output {
  const streams: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  let at = 0;
  while (at < data.length) {
    if (at + 8 > data.length) throw new Error(`Cannot read the output: a frame's head is cut at byte ${at}`);
    const length = data.readUInt32BE(at + 4);
    const end = at + 8 + length;
    if (end > data.length) {
      throw new Error(
        `Cannot read the output: a frame of ${length} bytes at ${at} is cut at ${data.length - at - 8}`,
      );
    }
    streams[data[at] === 2 ? 'stderr' : 'stdout'].push(data.subarray(at + 8, end));
    at = end;
  }
  return {
    stdout: Buffer.concat(streams.stdout).toString(),
    stderr: Buffer.concat(streams.stderr).toString(),
  };
}
