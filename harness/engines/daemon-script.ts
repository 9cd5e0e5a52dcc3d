/**
 * The daemon's life cycle in the guest, in POSIX sh because a spawn there costs some 100 ms: one SSH exec per verb.
 * `$0` is the verb, `$1` the pid file, `$2` the daemon's executable.
 *
 *     start  dataRoot execRoot logFile argv…   stops the engine of another driver first; returns before the socket is up
 *     end    signal delay seconds              afterwards the process is gone; status 3 where it lives on
 *     pid                                      prints the pid, or nothing
 */
export const daemonScript = `
file=$1 exe=$2; shift 2
# Of a pid file, \`pid executable\`. A number that has come to be another program's is nobody of ours.
alive() { read -r p e < "$1" && [ /proc/"$p"/exe -ef "$e" ]; } 2>/dev/null
gone() { # pid, tenths of a second; what was killed needs not even one of them
  n=0 pause=0.01
  while kill -0 "$1" 2>/dev/null; do
    n=$((n + 1)); [ "$n" -le "$2" ] || return 1
    sleep "$pause"
    pause=0.1
  done
}
others() {
  for other in "\${file%/*}"/*.pid; do
    [ "$other" != "$file" ] && [ -e "$other" ] || continue
    if alive "$other"; then kill -TERM "$p" 2>/dev/null && { gone "$p" 100 || kill -KILL "$p"; }; fi
    rm -f "$other"
  done
}
case $0 in
pid)
  if alive "$file"; then echo "$p"; fi ;;
end)
  alive "$file" || exit 0
  [ "$2" = 0 ] || sleep "$2"
  kill -"$1" "$p" 2>/dev/null || exit 0
  gone "$p" $(($3 * 10)) || { echo "process $p still runs $3 s after SIG$1" >&2; exit 3; }
  rm -f "$file" ;;
start)
  data=$1 exec=$2 log=$3; shift 3
  for folder in "$data" "$exec" "\${file%/*}" "\${log%/*}"; do
    [ -d "$folder" ] || mkdir -p "$folder"
  done
  others
  if alive "$file"; then exit 0; fi
  : >> "$log"
  cd /
  setsid -f sh -c 'echo $$ "$2" > "$0"; log=$1; shift 2; exec "$@" </dev/null >>"$log" 2>&1' "$file" "$log" "$exe" "$@" </dev/null >/dev/null 2>&1 ;;
esac
`;
