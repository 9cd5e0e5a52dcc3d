import { type ContainerState, lastRun } from '../containers/record.ts';

/** `docker ps`'s STATUS: `Up 3 minutes`, `Exited (0) 2 hours ago`, `Created`. */
export function statusText(state: ContainerState, now: number): string {
  const run = lastRun(state);
  switch (state.kind) {
    case 'running':
      return `Up ${duration(now - Date.parse(state.startedAt))}`;
    case 'paused':
      return `Up ${duration(now - Date.parse(state.startedAt))} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${duration(now - Date.parse(state.finishedAt))} ago`;
    case 'exited':
      return `Exited (${state.exitCode}) ${duration(now - Date.parse(state.finishedAt))} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'broken':
      return 'Dead';
    case 'creating':
    case 'created':
      return 'Created';
    case 'starting':
      return run ? `Exited (${run.exitCode}) ${duration(now - Date.parse(run.finishedAt))} ago` : 'Created';
    default:
      return state satisfies never;
  }
}

/** Milliseconds in Docker's words. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}
