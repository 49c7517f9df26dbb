#!/bin/sh
# What loopback.sh runs inside of the namespaces: an emulator for every program for Arm, the phone's own folders, its
# daemon on the loopback network, and adb connected to it. Then the command.
set -eu
root=$1
shift
ip link set lo up
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
header='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":arm64:M::$header:$mask:$(command -v qemu-aarch64):FP" > /proc/sys/fs/binfmt_misc/register
mount -t tmpfs none "$root/system/bin"
cp "$(dirname "$(realpath "$0")")/getprop" "$(dirname "$(realpath "$0")")/dumpsys" "$root/system/bin/"
chmod 755 "$root"/system/bin/*
mount -t proc none "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o "size=$SPACE" none "$root/data/local/tmp"
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export ANDROID_ADB_SERVER_PORT=15037
unset ANDROID_SERIAL
chroot "$root" /usr/bin/env -i PATH=/usr/bin:/system/bin ADBD_PORT=6555 \
  /usr/lib/android-sdk/platform-tools/adbd > "$logs/adbd" 2>&1 &
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  case "$(HOME="$logs" adb connect 127.0.0.1:6555 2>/dev/null || true)" in "connected"*) break;; esac
  sleep 0.5
done
adb wait-for-device
"$@"
