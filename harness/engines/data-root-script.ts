/**
 * A data root on a file system of its own, for drivers that need one which the guest's disk has not, in POSIX sh. `$1` is the data
 * root, `$2` the type. Afterwards it is mounted there, from the file `<data root>.fs`, which is made where it is missing; what makes it
 * comes from the distribution the first time. A zfs has its tools and its module in the image (a driver's `packages`); its pool is
 * `seatrial-` and the data root's own name.
 */
export const dataRootScript = `
set -e
data=$1 type=$2
mountpoint -q "$data" && exit 0
if [ "$type" = zfs ]; then
  modprobe zfs
  if [ -e "$data.fs" ]; then zpool import -d "$data.fs" "seatrial-\${data##*/}" && exit; fi
  mkdir -p "\${data%/*}"
  truncate -s 2G "$data.fs"
  exec zpool create -f -o cachefile=none -m "$data" "seatrial-\${data##*/}" "$data.fs"
fi
if ! command -v "mkfs.$type" >/dev/null; then
  case $type in btrfs) package=btrfs-progs ;; xfs) package=xfsprogs ;; *) package=e2fsprogs ;; esac
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -q -y --no-install-recommends "$package"; } >&2
fi
mkdir -p "$data"
if ! [ -e "$data.fs" ]; then
  truncate -s 2G "$data.new"
  "mkfs.$type" -q "$data.new" >&2
  mv "$data.new" "$data.fs"
fi
mount -o loop "$data.fs" "$data"
`;
