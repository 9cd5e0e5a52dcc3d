import type { DiskBay, PowerSwitch, RunningHost, StoppedHost } from '../host.ts';
import { readConsole } from './console.ts';
import type { Guest, Session } from './guest.ts';
import { watchMachine } from './watch.ts';

/** The running host of a guest's session. It owns both: disposing it ends the machine and removes the guest. */
export function runningHost(guest: Guest, session: Session): RunningHost & PowerSwitch & DiskBay {
  const { machine, ssh, address } = session;
  const broken = new AbortController();
  const stop = new AbortController();
  let owned = true;
  void watchMachine(machine, { ssh, address }, { stop: stop.signal, times: guest.times }).then((found) => {
    if (found) broken.abort(found);
  });
  const end = async () => {
    owned = false;
    stop.abort();
    await ssh[Symbol.asyncDispose]();
    await machine.kill();
  };
  return {
    name: guest.name,
    facts: guest.template.facts,
    ssh,
    sshAddress: address,
    phases: session.phases,
    broken: broken.signal,
    console: (maxBytes) => readConsole(machine.paths.console, maxBytes),
    plugDisk: (disk) => guest.plugDisk(session, disk),
    cutPower: async () => {
      if (!owned) throw new Error(`Cannot cut the power of ${guest.name}: it was disposed or cut before`);
      owned = false;
      stop.abort();
      await machine.kill();
      await ssh[Symbol.asyncDispose]();
      return stoppedHost(guest);
    },
    [Symbol.asyncDispose]: async () => {
      if (!owned) return;
      await end();
      await guest[Symbol.asyncDispose]();
    },
  };
}

function stoppedHost(guest: Guest): StoppedHost {
  let owned = true;
  return {
    boot: async () => {
      if (!owned) throw new Error(`Cannot boot ${guest.name}: it was disposed or booted before`);
      const session = await guest.bootAgain();
      owned = false;
      return runningHost(guest, session);
    },
    [Symbol.asyncDispose]: async () => {
      if (!owned) return;
      owned = false;
      await guest[Symbol.asyncDispose]();
    },
  };
}
