/**
 * For tests: where they make their groups. The run's label (scripts/run-root.ts) is in the name, so that the next run removes
 * what a killed one left.
 */
export const testParent = `hull-test-${process.env.SEATRIAL_RUN ?? 'alone'}-${process.pid}`;
