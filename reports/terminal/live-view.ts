import { jobOf, outcomes } from '../schema.ts';
import { duration } from '../text.ts';
import { clip } from './layout.ts';
import { areaMatrix, hostLines, scenarioMatrix } from './matrix.ts';
import type { Progress } from './progress.ts';
import { label, type Style } from './style.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/**
 * One frame of the live matrix. It always fits the terminal: the scenarios where there is room, else the areas, else the
 * hosts, for what scrolls away while it is redrawn is not a view.
 */
export function liveFrame(progress: Progress, now: number, size: Size, style: Style): string {
  const top = [headline(progress, now, style), ...hostStates(progress, now, size, style)];
  const bottom = runningLines(progress, now, size);
  const room = size.rows - 1 - top.length - bottom.length - 2;
  const input = { jobs: progress.jobs, state: progress.state.bind(progress) };
  const views = [
    () => scenarioMatrix(input, size.columns, style, Number.POSITIVE_INFINITY),
    () => areaMatrix(input, size.columns, style),
    () => hostLines(input, style),
  ];
  for (const view of views) {
    const lines = view();
    if (lines.length <= room) return [...top, '', ...lines, '', ...bottom].join('\n');
  }
  return top.slice(0, Math.max(1, size.rows - 1)).join('\n');
}

export function headline(progress: Progress, now: number, style: Style): string {
  const { counts } = progress;
  const parts = outcomes
    .filter((outcome) => counts[outcome] > 0)
    .map((outcome) => style.outcome[outcome](`${label(outcome)} ${counts[outcome]}`));
  const running = progress.running.length;
  if (running > 0) parts.push(style.running(`▸ runs ${running}`));
  const elapsed = style.dim(duration(now - progress.startedAt));
  return [style.bold(`${progress.done} of ${progress.jobs.length} done`), ...parts, elapsed].join('   ');
}

function hostStates(progress: Progress, now: number, size: Size, style: Style): string[] {
  const widest = Math.max(0, ...[...progress.hosts.keys()].map((host) => host.length));
  return [...progress.hosts].map(([host, { message, phases, since }]) => {
    const done = phases.map(({ name, durationMs }) => `${name} ${duration(durationMs)}`);
    const doing = message === undefined ? [] : [`${message} (${duration(now - since)})`];
    const text = [...done, ...doing].join(' · ') || 'waits';
    return style.dim(clip(`${host.padEnd(widest)}  ${text}`, size.columns));
  });
}

function runningLines(progress: Progress, now: number, size: Size): string[] {
  const most = size.rows < 30 ? 2 : 6;
  return progress.running
    .toSorted((a, b) => a.since - b.since)
    .slice(0, most)
    .map(({ job, since }) =>
      clip(`▸ runs  ${duration(now - since).padStart(7)}  ${jobOf(job)}`, size.columns),
    );
}
