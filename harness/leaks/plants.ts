import type { LeakKind } from './types.ts';

/** A leak to be planted: what is done, what the detector must say, and how it is undone. Scripts run in a TestWorld. */
export interface Plant {
  readonly title: string;
  /** Succeeds where this machine has what the plant needs. */
  readonly probe?: string;
  /** Prints the pid of the holder on its last line, where there is one; `PID` in `owner` stands for it. */
  readonly plant: string;
  readonly kind: LeakKind;
  readonly what: RegExp;
  readonly owner?: string;
  readonly undo: string;
}

/** `hold 'cd /mnt'`: a process that sleeps after it has done that, as $!; it does not keep the script's stdout. */
const hold = (after: string, seconds = 300) =>
  `bash -c ${JSON.stringify(`${after}; exec sleep ${seconds}`)} >/dev/null 2>&1 & pid=$!
   until grep -qs sleep /proc/$pid/comm; do sleep 0.02; done; echo $pid`;
const unhold = (seconds = 300) => `pkill -KILL -f "^sleep ${seconds}$" || true`;

const flipForwarding = 'cd /proc/sys/net/ipv4 && echo $((1 - $(cat ip_forward))) > ip_forward';

const unshared = (type: string, flag: string): Plant => ({
  title: `a ${type} namespace with a process in it`,
  probe: `unshare ${flag} true`,
  plant: `unshare ${flag} sleep 300 >/dev/null 2>&1 & sleep 0.2; pgrep -f '^sleep 300$' | tail -1`,
  kind: 'namespace',
  what: new RegExp(`^${type}:\\[\\d+\\]`),
  owner: 'pid PID \\(sleep\\)',
  undo: unhold(),
});

const cgroup = (title: string, root: string): Plant => ({
  title: `a cgroup (${title}) with a process in it`,
  probe: `test -d ${root}`,
  plant: `mkdir ${root}/planted-$LABEL; ${hold(`echo 0 > ${root}/planted-$LABEL/cgroup.procs`)}`,
  kind: 'cgroup',
  what: /\/planted-/,
  owner: 'pid PID \\(sleep\\)',
  undo: `${unhold()}; until rmdir ${root}/planted-$LABEL; do sleep 0.05; done`,
});

const v2 = '$(findmnt -nt cgroup2 -o TARGET | head -1)';

export const plants: readonly Plant[] = [
  {
    title: 'a mount in the host, with a process standing in it',
    plant: `mount -t tmpfs planted /mnt; ${hold('cd /mnt')}`,
    kind: 'mount',
    what: /^tmpfs planted at \/mnt \(rw,.*(private|shared)\)$/,
    owner: 'pid PID \\(sleep\\) in mnt:\\[\\d+\\]: cwd /mnt',
    undo: `${unhold()}; until umount /mnt; do sleep 0.05; done`,
  },
  {
    title: 'a mount in another mount namespace',
    plant: hold('exec unshare --mount bash -c "mount -t tmpfs planted-inside /mnt; exec sleep 300"'),
    kind: 'mount',
    what: /^tmpfs planted-inside at \/mnt .* in mnt:\[\d+\]$/,
    owner: 'pid PID \\(sleep\\) in mnt:\\[\\d+\\]',
    undo: unhold(),
  },
  {
    title: 'a loop device held open',
    probe: 'test -e /dev/loop-control',
    plant: `truncate -s 1M $FOLDER/disk; loop=$(losetup -f --show $FOLDER/disk); ${hold('exec 3<"$loop"').replaceAll('\\"$loop\\"', "'$loop'")}`,
    kind: 'loop',
    what: /^\/dev\/loop\d+ of .*\/disk$/,
    owner: 'pid PID \\(sleep\\) in mnt:\\[\\d+\\]: fd 3 /dev/loop\\d+',
    undo: `${unhold()}; losetup -j $FOLDER/disk -nO NAME | xargs -n1 losetup -d; rm $FOLDER/disk`,
  },
  {
    title: 'a device-mapper device held open',
    probe: 'dmsetup version',
    plant: `dmsetup create planted-$LABEL --table '0 8 zero'; ${hold('exec 3</dev/mapper/planted-$LABEL')}`,
    kind: 'dm',
    what: /^planted-\w+ \(dm-\d+\)$/,
    owner: 'pid PID \\(sleep\\).*: fd 3 /dev/(dm-|mapper/planted-)',
    undo: `${unhold()}; dmsetup remove --retry planted-$LABEL`,
  },
  {
    title: 'a dataset of a zfs pool, mounted in another namespace',
    probe: 'zfs version && test -e /dev/zfs',
    plant: `truncate -s 128M $FOLDER/pool; zpool create -O mountpoint=none planted-$LABEL $FOLDER/pool
            zfs create -o mountpoint=legacy planted-$LABEL/leaked
            ${hold('exec unshare --mount bash -c "mount -t zfs planted-$LABEL/leaked /mnt; exec sleep 300"')}`,
    kind: 'zfs',
    what: /^planted-\w+\/leaked \(filesystem\)$/,
    owner: 'pid PID \\(sleep\\).*: mount at /mnt',
    undo: `${unhold()}; until zpool destroy planted-$LABEL; do sleep 0.1; done; rm $FOLDER/pool`,
  },
  cgroup('v1', '/sys/fs/cgroup/pids'),
  cgroup('v2', v2),
  {
    title: 'a frozen cgroup (v1) with a process in it',
    probe: 'test -d /sys/fs/cgroup/freezer',
    plant: `cd /sys/fs/cgroup/freezer; mkdir planted-$LABEL; ${hold('echo 0 > planted-$LABEL/cgroup.procs')};
            echo FROZEN > planted-$LABEL/freezer.state`,
    kind: 'frozen-cgroup',
    what: /freezer\/planted-/,
    owner: 'pid PID \\(sleep\\)',
    undo: `cd /sys/fs/cgroup/freezer; echo THAWED > planted-$LABEL/freezer.state; ${unhold()}
           until rmdir planted-$LABEL; do sleep 0.05; done`,
  },
  {
    title: 'a frozen cgroup (v2)',
    probe: `mkdir ${v2}/planted-$LABEL && rmdir ${v2}/planted-$LABEL`,
    plant: `cd ${v2}; mkdir planted-$LABEL; echo 1 > planted-$LABEL/cgroup.freeze`,
    kind: 'frozen-cgroup',
    what: /\/planted-/,
    undo: `rmdir ${v2}/planted-$LABEL`,
  },
  {
    title: 'a dummy link',
    probe: 'ip link add probe0 type dummy && ip link delete probe0',
    plant: 'ip link add planted0 type dummy',
    kind: 'link',
    what: /^planted0 \(mtu 1500, down\)$/,
    owner: 'net:\\[\\d+\\]',
    undo: 'ip link delete planted0',
  },
  {
    title: 'a veth pair',
    probe: 'ip link add probe0 type veth peer name probe1 && ip link delete probe0',
    plant: 'ip link add planted0 type veth peer name planted1; ip link set planted1 up',
    kind: 'link',
    what: /^planted1 \(mtu 1500, up\)$/,
    undo: 'ip link delete planted0',
  },
  {
    title: 'an address on a link that was there',
    plant: 'ip address add 10.123.0.1/24 dev lo',
    kind: 'link',
    what: /^address 10\.123\.0\.1\/24 on lo$/,
    undo: 'ip address delete 10.123.0.1/24 dev lo',
  },
  {
    title: 'an nft table',
    probe: 'nft list ruleset',
    plant: 'nft add table inet planted',
    kind: 'nft',
    what: /^table inet planted$/,
    undo: 'nft delete table inet planted',
  },
  {
    title: 'an nft rule in a table',
    probe: 'nft list ruleset',
    plant:
      "nft 'add table inet planted; add chain inet planted c; add rule inet planted c tcp dport 4242 drop'",
    kind: 'nft',
    what: /^rule .*4242/,
    undo: 'nft delete table inet planted',
  },
  unshared('mnt', '--mount'),
  unshared('net', '--net'),
  unshared('pid', '--pid --fork'),
  unshared('ipc', '--ipc'),
  unshared('uts', '--uts'),
  unshared('user', '--user'),
  unshared('cgroup', '--cgroup'),
  unshared('time', '--time --fork'),
  {
    title: 'a network namespace held by a mount only',
    plant: 'touch $FOLDER/net; unshare --net=$FOLDER/net true',
    kind: 'namespace',
    what: /^net:\[\d+\] mounted at .*\/net$/,
    owner: 'mount at .*/net',
    undo: 'umount $FOLDER/net',
  },
  {
    title: 'a network namespace held by a descriptor only',
    plant: `unshare --net sleep 301 >/dev/null 2>&1 & sleep 0.2; inner=$(pgrep -f '^sleep 301$');
            ${hold('exec 3</proc/INNER/ns/net').replace('INNER', '"$inner"').replaceAll('"$inner"', "'$inner'")}; kill $inner`,
    kind: 'namespace',
    what: /^net:\[\d+\] open in pid \d+ \(sleep\)/,
    owner: 'pid \\d+ \\(sleep\\).*: fd 3',
    undo: unhold(),
  },
  {
    title: 'a process',
    plant: hold('true'),
    kind: 'process',
    what: /^sleep 300 \(pid \d+\)$/,
    owner: 'pid PID \\(sleep\\) in mnt:\\[\\d+\\], child of pid \\d+ \\(.*\\)',
    undo: unhold(),
  },
  {
    title: 'a zombie',
    plant: `bash -c 'sleep 0.05 & exec sleep 300' >/dev/null 2>&1 & sleep 0.3; pgrep -f '^sleep 300$'`,
    kind: 'process',
    what: /^\[sleep\] \(pid \d+, zombie\)$/,
    owner: 'pid \\d+ \\(sleep\\), child of pid PID \\(sleep\\)',
    undo: unhold(),
  },
  {
    title: 'a file in a state folder, held open',
    plant: `mkdir $FOLDER/state/run; ${hold('exec 3>$FOLDER/state/run/container.pid')}`,
    kind: 'file',
    what: /^file .*\/state\/run\/container\.pid \(0 bytes\)$/,
    owner: 'pid PID \\(sleep\\).*: fd 3',
    undo: `${unhold()}; rm -r $FOLDER/state/run`,
  },
  {
    title: 'the folder of a layer whose content is not looked at',
    plant: 'mkdir -p $FOLDER/state/layers/abc/deep',
    kind: 'file',
    what: /^folder .*\/state\/layers\/abc$/,
    undo: 'rm -r $FOLDER/state/layers',
  },
  {
    title: 'a unix socket',
    plant: `"$NODE" -e "require('net').createServer().listen('$FOLDER/planted.sock')" >/dev/null 2>&1 & pid=$!
            until test -S $FOLDER/planted.sock; do sleep 0.02; done; echo $pid`,
    kind: 'socket',
    what: /^unix socket .*\/planted\.sock$/,
    owner: 'pid PID \\(.*\\) in mnt:\\[\\d+\\]: fd \\d+',
    undo: 'pkill -f "[c]reateServer"; rm -f $FOLDER/planted.sock',
  },
  {
    title: 'a TCP listener',
    plant: `"$NODE" -e "require('net').createServer().listen(4242, '127.0.0.1')" >/dev/null 2>&1 & pid=$!
            until ss -ltn | grep -q 4242; do sleep 0.02; done; echo $pid`,
    kind: 'socket',
    what: /^tcp 127\.0\.0\.1 port 4242$/,
    owner: 'pid PID',
    undo: 'pkill -f "[c]reateServer"',
  },
  {
    title: 'a sysctl',
    // A new network namespace has the value of the machine, which is 1 where Docker ran.
    plant: flipForwarding,
    kind: 'sysctl',
    what: /^net\.ipv4\.ip_forward = ([01]), was net\.ipv4\.ip_forward = (?!\1)[01]$/,
    undo: flipForwarding,
  },
];
