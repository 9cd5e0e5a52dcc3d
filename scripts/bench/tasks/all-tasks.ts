import type { Task } from '../task.ts';
import { createByDepth } from './create-by-depth.ts';
import { daemonStart } from './daemon-start.ts';
import { execLatency } from './exec-latency.ts';
import { imageCommit, imageLoad } from './image-throughput.ts';
import { parallelStarts, runToExit, startToExit } from './run-to-exit.ts';

export const allTasks: readonly Task[] = [
  ...[runToExit, startToExit, execLatency, parallelStarts, daemonStart],
  ...[imageLoad, imageCommit],
  ...createByDepth,
];
