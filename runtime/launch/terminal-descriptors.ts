/**
 * The number that the terminal's master has in a launch program, by the number of its record pipe: above what the command is to have, and
 * where others find it (pidfd_getfd(2)).
 */
export const masterOf = (record: number): number => record + 95;
