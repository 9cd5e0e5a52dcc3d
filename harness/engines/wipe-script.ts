/**
 * The last resort of a reset, for a dead daemon, in POSIX sh: `$1` is its data root, `$2` its exec root, `$3` the name of the
 * cgroup that its containers are below. Ends what lives in a mount or cgroup of them, and removes mounts, devices, cgroups
 * and folders. Touches nothing of other engines on the host. Prints what resisted, with status 1.
 */
export const wipeScript = `
data=$1 exec=$2 group=$3
groups() { find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "$group" 2>/dev/null; }
members() {
  groups | while read -r folder; do find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null; done
  for d in /proc/[0-9]*; do
    [ "$d/ns/mnt" -ef /proc/self/ns/mnt ] && continue
    grep -qs -e " $exec/" -e " $data/" -e "=$data/" "$d/mountinfo" && echo "\${d#/proc/}"
  done
}
mounts() { awk -v a="$data/" -v b="$exec/" '{ p = $5 "/" } index(p, a) == 1 || index(p, b) == 1 { print $5 }' /proc/self/mountinfo | sort -r; }
loops() { losetup -l -n -O NAME,BACK-FILE 2>/dev/null | awk -v root="$data/" 'index($2, root) == 1 { print $1 }'; }
devices() { # all device-mapper devices of the pools that stand on our loop devices
  [ -e /dev/mapper/control ] && command -v dmsetup >/dev/null || return 0
  for loop in $(loops); do
    dmsetup deps -o devname 2>/dev/null | awk -v loop="(\${loop#/dev/})" 'index($0, loop) { print substr($1, 1, 13) }'
  done | sort -u | while read -r prefix; do
    dmsetup ls 2>/dev/null | awk -v prefix="$prefix" 'index($1, prefix) == 1 { print $1 }'
  done
}
for n in 1 2 3 4 5; do
  list=$(members | sort -u)
  [ -z "$list" ] && break
  kill -KILL $list 2>/dev/null
  sleep 0.2
done
mounts | while read -r point; do umount "$point" 2>/dev/null || umount -l "$point"; done
for n in 1 2 3; do # the pool goes after its thin devices
  devices | sort -r | while read -r name; do dmsetup remove --retry "$name" 2>/dev/null; done
done
for loop in $(loops); do losetup -d "$loop"; done
pool=seatrial-\${data##*/}
pools() { command -v zpool >/dev/null && zpool list -H -o name "$pool" 2>/dev/null; }
[ -z "$(pools)" ] || zpool destroy -f "$pool"
groups | while read -r folder; do find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null; done
rm -rf "$data" "$data.fs" "$exec"
left=$(devices; loops; pools; groups; mounts; [ -e "$data" ] && echo "$data"; [ -e "$exec" ] && echo "$exec")
[ -z "$left" ] && exit 0
echo "left over:" $left
exit 1
`;
