/**
 * # Volumes
 *
 * A **volume** is a folder with a name of its own, `<data-root>/volumes/<name>/_data`, that outlives the containers it is mounted in.
 * One with **options** (`type`, `device`, `o` as mount(8) has them) is a mount instead: it is made over `_data` in the host's namespace
 * when the first container that uses it starts, so that all of them see one file system, and unmounted after the last.
 *
 * **Nothing is counted.** Who uses a volume is what the containers' records say, asked anew each time; a crash cannot make that wrong.
 *
 * **What can never happen:** a volume that is half there (it is made under another name and renamed); a removed one that comes back;
 * files of one volume in another of the same name; a copy-up that was cut off and is taken for a whole one.
 */
export interface Volume {
  readonly name: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The local driver's, as they were given. */
  readonly options: Readonly<Record<string, string>>;
  /** Where its files are in the host. */
  readonly mountPoint: string;
}

/** What a volume is made from. */
export interface VolumeWish {
  /** Undefined: a name of 64 hex digits, and the label that marks it as anonymous. */
  readonly name: string | undefined;
  /** '' and `local` are the one there is. */
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** Docker's mark of a volume that nobody named: `docker volume prune` takes these, and only with `--all` the others. */
export const anonymousLabel = 'com.docker.volume.anonymous';

/** The files are those of a mount of their own. */
export const hasOptions = ({ options }: Pick<Volume, 'options'>): boolean => Object.keys(options).length > 0;
