#!/bin/sh
# Runs a command beside an emulated phone that adb is connected to, all in namespaces of their own: when the command
# ends, the phone, adb's server and their network are gone.
#
#   loopback.sh FOLDER COMMAND...
#
# FOLDER is what make_root.sh made. SPACE (64m, ...) is the size of the phone's temporary folder.
set -eu
here=$(dirname "$(realpath "$0")")
folder=$(realpath "$1")
shift
export SPACE="${SPACE:-2g}"
exec unshare --user --map-root-user --mount --net --pid --fork --kill-child --mount-proc sh "$here/inside.sh" "$folder/root" "$@"
