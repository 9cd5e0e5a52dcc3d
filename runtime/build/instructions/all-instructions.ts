import type { ConfigStage } from '../stage.ts';
import { add } from './add.ts';
import { arg } from './arg.ts';
import { cmd } from './cmd.ts';
import { copy } from './copy.ts';
import { entrypoint } from './entrypoint.ts';
import { env } from './env.ts';
import { expose } from './expose.ts';
import { healthcheck } from './healthcheck.ts';
import { type StepReader, stepReader } from './instruction.ts';
import { label } from './label.ts';
import { maintainer } from './maintainer.ts';
import { onbuild } from './onbuild.ts';
import { run } from './run.ts';
import { shell } from './shell.ts';
import { stopsignal } from './stopsignal.ts';
import { user } from './user.ts';
import { volume } from './volume.ts';
import { workdir } from './workdir.ts';

/** Those that only touch the config: what `--change` of commit and import takes. */
export const configInstructions: ReadonlyMap<string, StepReader<ConfigStage>> = new Map([
  ['CMD', stepReader(cmd)],
  ['ENTRYPOINT', stepReader(entrypoint)],
  ['ENV', stepReader(env)],
  ['EXPOSE', stepReader(expose)],
  ['HEALTHCHECK', stepReader(healthcheck)],
  ['LABEL', stepReader(label)],
  ['ONBUILD', stepReader(onbuild)],
  ['STOPSIGNAL', stepReader(stopsignal)],
  ['USER', stepReader(user)],
  ['VOLUME', stepReader(volume)],
  ['WORKDIR', stepReader(workdir)],
]);

/** Every instruction of a stage; FROM begins one. */
export const allInstructions: ReadonlyMap<string, StepReader> = new Map<string, StepReader>([
  ...configInstructions,
  ['ADD', stepReader(add)],
  ['ARG', stepReader(arg)],
  ['COPY', stepReader(copy)],
  ['MAINTAINER', stepReader(maintainer)],
  ['RUN', stepReader(run)],
  ['SHELL', stepReader(shell)],
]);
