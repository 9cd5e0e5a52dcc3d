import { nestedIn, type Reader } from './reader.ts';

/** Pressure stall information of one resource. Kernel: accounting/psi.rst. */
export interface Pressure {
  /** Some task waited. */
  readonly some: PressureShare;
  /** No task got on; absent for the processor before Linux 5.13. */
  readonly full?: PressureShare;
}

/** Shares of time in percent over the last 10, 60 and 300 seconds; `total` in microseconds. */
export interface PressureShare {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly total: number;
}

/** v2 only, and only where the kernel was built and booted with it: a file may be there and answer EOPNOTSUPP. */
export function pressureStats(reader: Reader, resource: 'cpu' | 'memory' | 'io'): Pressure | undefined {
  const shares = new Map(
    nestedIn(reader, `${resource}.pressure`).map(({ name, fields }) => {
      const number = (key: string) => Number(fields[key] ?? 0);
      return [
        name,
        { avg10: number('avg10'), avg60: number('avg60'), avg300: number('avg300'), total: number('total') },
      ];
    }),
  );
  const [some, full] = [shares.get('some'), shares.get('full')];
  return some && { some, ...(full && { full }) };
}
