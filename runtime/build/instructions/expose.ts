import { readFlags } from '../dockerfile/flags.ts';
import { DockerfileProblem } from '../dockerfile/problem.ts';
import type { InstructionType } from './instruction.ts';

/** `EXPOSE port[-port][/protocol] …`. */
export const expose: InstructionType<readonly string[]> = {
  read({ name, rest, flags }) {
    readFlags(name, flags, []);
    const words = rest.split(/\s+/).filter((word) => word !== '');
    if (words.length === 0) throw new DockerfileProblem('EXPOSE requires at least one argument');
    return words.toSorted();
  },
  async perform(stage, words) {
    const ports = words.flatMap((word) => stage.expandToWords(word));
    const exposed = ports.flatMap(portsOf).map((port) => [port, {}]);
    stage.config.ExposedPorts = { ...stage.config.ExposedPorts, ...Object.fromEntries(exposed) };
    await stage.commit(`EXPOSE ${ports.join(' ')}`);
  },
};

/** `8000-8001/udp` as `8000/udp` and `8001/udp`. What stands before the last colon says nothing in an image. */
function portsOf(word: string): readonly string[] {
  const [, range = '', protocol = 'tcp'] = /^(.*?)(?:\/(.*))?$/s.exec(word) ?? [];
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) {
    throw new DockerfileProblem(`Invalid proto: ${protocol}: wanted tcp, udp or sctp`);
  }
  const own = range.slice(range.lastIndexOf(':') + 1);
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(own) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === undefined || to > 65_535) throw new DockerfileProblem(`Invalid containerPort: ${own}`);
  if (from > to) throw new DockerfileProblem(`Invalid range specified for the Start and End: ${own}`);
  return Array.from({ length: to - from + 1 }, (_, at) => `${from + at}/${protocol.toLowerCase()}`);
}
