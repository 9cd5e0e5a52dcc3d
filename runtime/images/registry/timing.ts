/** Every wait of the registry client; a test shrinks them. */
export interface RegistryTiming {
  /** Without an answer, or with almost none, the connection is given up. */
  readonly stallMs: number;
  /** Of one document or blob, as long as none brings anything. */
  readonly attempts: number;
  /** Before the second attempt; doubles up to `retryMaxMs`. */
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  /** Between two lines of progress of one layer. */
  readonly progressMs: number;
}

export const defaultRegistryTiming: RegistryTiming = {
  stallMs: 60_000,
  attempts: 5,
  retryFirstMs: 1_000,
  retryMaxMs: 30_000,
  progressMs: 100,
};
