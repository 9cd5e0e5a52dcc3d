/** What trying a feature showed. Only the first two answers may be remembered. */
export type ProbeAnswer =
  | { readonly answer: 'supported' }
  | {
      readonly answer: 'unsupported';
      /** Noun: `the overlay file system in this kernel`. */
      readonly missing: string;
      /** Kernel version that brought it: `3.18`. */
      readonly since?: string;
    }
  | { readonly answer: 'unknown'; readonly reason: string };

/** `missing is the device-mapper target thin-pool, which Linux has since 3.2`. Empty for a supported feature. */
export function probeText(probe: ProbeAnswer): string {
  switch (probe.answer) {
    case 'supported':
      return '';
    case 'unsupported':
      return `missing is ${probe.missing}${probe.since ? `, which Linux has since ${probe.since}` : ''}`;
    case 'unknown':
      return `it could not be found out: ${probe.reason}`;
    default:
      return probe satisfies never;
  }
}
