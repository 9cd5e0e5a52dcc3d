/**
 * The last resort of a reset, for a dead daemon: `$1` is its data root, `$2` its exec root. Ends whatever lives in a
 * mount, a cgroup or a device of them, then removes them. Prints what resisted and answers 1 for it.
 */
export const wipeScript = `
data=$1 exec=$2
procs() { # pids of the engine's containers and monitors, by cgroup, command line and mount table
  cat /sys/fs/cgroup/hull-*/*/cgroup.procs /sys/fs/cgroup/*/hull-*/*/cgroup.procs \\
      /sys/fs/cgroup/docker/*/cgroup.procs /sys/fs/cgroup/*/docker/*/cgroup.procs 2>/dev/null
  for d in /proc/[0-9]*; do
    p=\${d#/proc/}
    [ "$p" = $$ ] && continue
    grep -qs -e "$exec/" -e "$data/" "$d/mountinfo" && ! [ "$d/ns/mnt" -ef /proc/self/ns/mnt ] && echo "$p"
  done
}
for n in 1 2 3 4 5; do
  list=$(procs | sort -u)
  [ -z "$list" ] && break
  kill -KILL $list 2>/dev/null
  sleep 0.2
done
for root in "$data" "$exec"; do
  awk -v root="$root" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r point; do
    umount "$point" 2>/dev/null || umount -l "$point"
  done
done
if [ -e /dev/mapper/control ] && command -v dmsetup >/dev/null; then
  for n in 1 2 3; do # thin devices first, then their pool
    dmsetup ls 2>/dev/null | awk '/^(hull|docker)/ { print $1 }' | sort -r | while read -r name; do
      dmsetup remove --retry "$name" 2>/dev/null
    done
  done
fi
losetup -l -n -O NAME,BACK-FILE 2>/dev/null | awk -v root="$data/" 'index($2, root) == 1 { print $1 }' | while read -r loop; do
  losetup -d "$loop"
done
for pass in 1 2 3 4; do
  rmdir /sys/fs/cgroup/hull-*/* /sys/fs/cgroup/*/hull-*/* /sys/fs/cgroup/hull-* /sys/fs/cgroup/*/hull-* 2>/dev/null
done
rm -rf "$exec" "$data"
left=$(dmsetup ls 2>/dev/null | awk '/^(hull|docker)/ { print "device " $1 }'; losetup -l -n -O NAME,BACK-FILE 2>/dev/null | awk -v root="$data/" 'index($2, root) == 1 { print "loop " $1 }'; [ -e "$data" ] && echo "folder $data"; [ -e "$exec" ] && echo "folder $exec")
[ -z "$left" ] && exit 0
echo "left over: $left"
exit 1
`;
