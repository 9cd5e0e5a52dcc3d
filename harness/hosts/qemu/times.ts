/** Every wait of the provider, so that a test can shrink it. */
export interface QemuTimes {
  /** A cold boot takes 7 to 26 s under emulation; a machine busy with other work several times that. */
  readonly bootMs: number;
  /** From a resumed state to the first SSH answer; then it is booted instead. */
  readonly resumeMs: number;
  /** How often a running machine is looked at. */
  readonly watchEveryMs: number;
  /** QEMU itself is hung when its control socket is silent for so long. */
  readonly qmpMs: number;
  /** A guest whose connection was lost may take so long to answer a new one before it counts as hung. */
  readonly reconnectMs: number;
}

export const defaultTimes: QemuTimes = {
  bootMs: 240_000,
  resumeMs: 20_000,
  watchEveryMs: 500,
  qmpMs: 10_000,
  reconnectMs: 15_000,
};
