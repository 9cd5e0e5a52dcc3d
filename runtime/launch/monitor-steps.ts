import { report, reportFailures, words } from './common-steps.ts';
import { AT_FDCWD, named, SIGKILL } from './constants.ts';
import { takeCommand } from './control-steps.ts';
import { exitField, exitRecordSize } from './exit-record.ts';
import { frameWriter } from './frame-steps.ts';
import { type MonitorState, type MonitorStreams, writeFile } from './open-monitor-steps.ts';
import { PollSet } from './poll-steps.ts';
import type { Cell } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';
import { pump } from './pump-steps.ts';
import { recordDescriptor } from './records.ts';
import { controlCommands, runFiles } from './run-dir.ts';
import { takeStatus } from './signal-steps.ts';
import { resizeTerminal, takeTerminal } from './terminal-handover.ts';
import type { LaunchRequest } from './types.ts';

/** The monitor after the clone: frames output until the container's first process has ended, writes the record, leaves. */
export function watchContainer(
  p: ProgramBuilder,
  request: LaunchRequest,
  state: MonitorState,
  pid: Cell,
): void {
  reportFailures(p, 'monitor', () => {
    p.call('kill', [pid, named(SIGKILL, 'SIGKILL')], { what: 'kill the first process', errors: 'next' });
    p.call('wait4', [pid, 0, 0, 0], { what: 'wait for the first process', errors: 'next' });
  });
  report(p, 'pid', pid);
  const { streams } = state;
  const master = streams.kind === 'terminal' ? takeTerminal(p, streams.handover) : undefined;
  if (streams.kind === 'pipes')
    for (const { write } of [streams.stdout, streams.stderr]) p.call('close', [write], { errors: 'next' });
  p.call('close', [recordDescriptor], { errors: 'next' });

  const loop = p.label('loop');
  const finish = p.label('finish');
  // Without a status there is no record to write: the daemon then knows that the monitor was lost.
  const lost = p.label('lost');
  const poll = new PollSet(p, 5);
  const signals = poll.waitFor('in', state.signals);
  const control = poll.waitFor('in', state.control);
  const outputs = outputsOf(streams, master).map(
    ({ stream, from }) => ({ stream, from, slot: poll.waitFor('in', from) }) as const,
  );
  const input =
    master && state.stdin
      ? pump(p, poll, { name: 'terminal input', from: state.stdin, to: master })
      : undefined;

  // No time-out at first; none at all to wait for once the first process has ended. Something outside the container may
  // keep writing, so the rounds after the end are counted.
  const timeout = p.cell('timeout');
  const rounds = p.cell('rounds', 4096);
  const roundCost = p.cell('round cost', 0);
  p.place(loop);
  p.local(rounds, { minus: roundCost, result: rounds, zero: finish });
  p.call('ppoll', [...poll.arguments, timeout, 0, 0], {
    what: 'wait for output',
    errors: { EINTR: loop, other: lost },
    zero: finish,
  });
  const frame = frameWriter(p, state);
  for (const { stream, from, slot } of outputs) frame(stream, from, slot);
  input?.steps();
  takeCommand(p, poll, { from: state.control, slot: control }, commandsOf(p, state, master));

  const status = at(state.exit, exitField.status);
  takeStatus(p, { signals: state.signals, slot: signals, pid, status }, { loop, lost });
  const zeroTime = p.pointer('no time', address(words(p, 'timespec 0', [0, 0])));
  p.copy(zeroTime, timeout);
  p.set(roundCost, 1);
  for (const slot of [signals, control]) poll.ignore(slot);
  input?.stop();
  p.goto(loop);

  p.place(lost);
  p.call('exit_group', [1]);

  p.place(finish);
  writeExitRecord(p, request, state);
  p.call('exit_group', [0]);
}

function outputsOf(
  streams: MonitorStreams,
  master: Cell | undefined,
): readonly { readonly stream: 'stdout' | 'stderr'; readonly from: Cell }[] {
  if (master) return [{ stream: 'stdout', from: master }];
  if (streams.kind === 'terminal') return [];
  const { stdout, stderr } = streams;
  return [
    { stream: 'stdout', from: stdout.read },
    { stream: 'stderr', from: stderr.read },
  ];
}

function commandsOf(p: ProgramBuilder, { control, stdin }: MonitorState, master: Cell | undefined) {
  // A terminal has no end of input that another process could make.
  if (master) return { [controlCommands.resize]: () => resizeTerminal(p, control, master) };
  if (!stdin) return {};
  return {
    [controlCommands.closeStdin]: () => {
      p.call('close', [stdin], { what: 'let go of stdin', errors: 'next' });
      p.set(stdin, -1);
    },
  };
}

function writeExitRecord(p: ProgramBuilder, request: LaunchRequest, state: MonitorState): void {
  const files = runFiles(request.runDir);
  p.call('clock_gettime', [named(0, 'CLOCK_REALTIME'), address(state.exit, exitField.time)], {
    what: 'read the clock',
  });
  writeFile(p, 'the exit record', files.exitTemporary, address(state.exit), exitRecordSize);
  p.call('renameat', [AT_FDCWD, p.text(files.exitTemporary), AT_FDCWD, p.text(files.exit)], {
    what: 'put the exit record in place',
  });
}
