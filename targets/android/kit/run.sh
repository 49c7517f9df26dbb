#!/bin/sh
# Asks the phone that adb is connected to what it computes of the forms in this folder: sh run.sh
# Several phones: ANDROID_SERIAL=SERIAL sh run.sh. Exit status: 0, 2 if the phone could not be asked, 3 if its HTP was not.
set -u
here=$(dirname "$0")
there=/data/local/tmp/edgekit-kit
command -v adb > /dev/null || {
  echo "adb is not installed. Install it with: apt install adb (or Android's platform-tools), then: sh run.sh"
  exit 2
}
state=$(adb get-state 2>&1 | tail -n 1)
[ "$state" = device ] || {
  echo "no phone is ready ($state). Switch on USB debugging, connect it, accept its question, then: sh run.sh"
  exit 2
}
adb shell "rm -rf $there && mkdir -p $there" && adb push "$here/phone/." "$there" > /dev/null || {
  echo "the kit could not be copied to $there on the phone. Look at its free space, then: sh run.sh"
  exit 2
}
adb shell "sh $there/on_phone.sh; echo ended:\$?" | tr -d '\r' | {
  code=2
  while IFS= read -r line; do
    case $line in
      ended:*) code=${line#ended:} ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
  exit "$code"
}
code=$?
adb shell "rm -rf $there"
exit $code
